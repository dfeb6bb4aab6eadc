package ipvs

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	moby "github.com/moby/ipvs"
	"github.com/vishvananda/netlink/nl"

	"holdfast/lvs"
)

// Do makes one change. Its error wraps the kernel's error number and, if one
// applies, an error of package lvs such as [lvs.ErrExists].
func (c *Conn) Do(op lvs.Op) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if op.Verb.Server() {
		return explain(op, c.doServer(op))
	}
	_, err := call(c, func(h *moby.Handle) (struct{}, error) {
		service := toMoby(op.Service)
		switch op.Verb {
		case lvs.AddService:
			return struct{}{}, h.NewService(service)
		case lvs.EditService:
			return struct{}{}, h.UpdateService(service)
		}
		return struct{}{}, h.DelService(service)
	})
	return explain(op, err)
}

func (c *Conn) doServer(op lvs.Op) error {
	command := map[lvs.Verb]uint8{lvs.AddServer: cmdNewDest, lvs.EditServer: cmdSetDest, lvs.DeleteServer: cmdDelDest}[op.Verb]
	_, err := c.own.do(request{command: command, attrs: []*nl.RtAttr{
		encodeKey(op.Service.Key.Canonical()),
		encodeServer(op.Server.Canonical(), op.Verb != lvs.DeleteServer),
	}})
	return err
}

// explain adds the meaning of the kernel's error number
// (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_genl_set_cmd).
func explain(op lvs.Op, err error) error {
	var known error
	switch {
	case errors.Is(err, syscall.EEXIST):
		known = lvs.ErrExists
	case errors.Is(err, syscall.ESRCH):
		known = lvs.ErrNoService
	case errors.Is(err, syscall.ENOENT) && op.Verb.Server():
		known = lvs.ErrNoServer
	case errors.Is(err, syscall.ENOENT) && op.Service.PersistEngine != "":
		known = fmt.Errorf("%w, or no such persistence engine (modules ip_vs_%s and ip_vs_pe_%s)", lvs.ErrNoScheduler, op.Service.Scheduler, op.Service.PersistEngine)
	case errors.Is(err, syscall.ENOENT):
		known = fmt.Errorf("%w (module ip_vs_%s)", lvs.ErrNoScheduler, op.Service.Scheduler)
	case errors.Is(err, syscall.EINVAL) && op.Verb.Server() && op.Server.Address.Addr().Unmap().Is6() != op.Service.Key.Canonical().IPv6:
		known = errors.New("the kernel accepts a server of another address family than the service only with forward tun and while no sync daemon runs")
	default:
		return err
	}
	return fmt.Errorf("%w (%w)", known, err)
}

// toMoby converts a service.
func toMoby(s lvs.Service) *moby.Service {
	s = s.Canonical()
	m := &moby.Service{
		SchedName:     s.Scheduler,
		PEName:        s.PersistEngine,
		Flags:         uint32(s.Flags),
		Timeout:       uint32(s.Persistence.Seconds()),
		Netmask:       netmask(s.PersistPrefix, s.Key.IPv6),
		AddressFamily: family(s.Key.IPv6),
		FWMark:        s.Key.Mark,
	}
	if s.Key.Mark == 0 {
		m.Protocol = uint16(s.Key.Protocol)
		m.Address = net.IP(s.Key.Address.Addr().AsSlice())
		m.Port = s.Key.Address.Port()
	}
	return m
}

// netmask is the inverse of prefix. The kernel expects an IPv4 netmask in network
// byte order, and moby/ipvs sends the number in host byte order.
func netmask(length int, v6 bool) uint32 {
	if v6 {
		return uint32(length)
	}
	mask := net.CIDRMask(length, 32)
	return native.Uint32(mask)
}

// Timeouts returns the connection timeouts.
func (c *Conn) Timeouts() (lvs.Timeouts, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, err := call(c, (*moby.Handle).GetConfig)
	if err != nil {
		return lvs.Timeouts{}, wrap(err, "read the IPVS connection timeouts")
	}
	return lvs.Timeouts{TCP: m.TimeoutTCP, TCPFin: m.TimeoutTCPFin, UDP: m.TimeoutUDP}, nil
}

// SetTimeouts sets the connection timeouts. A timeout of 0 is left unchanged.
func (c *Conn) SetTimeouts(t lvs.Timeouts) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := call(c, func(h *moby.Handle) (struct{}, error) {
		return struct{}{}, h.SetConfig(&moby.Config{TimeoutTCP: t.TCP, TimeoutTCPFin: t.TCPFin, TimeoutUDP: t.UDP})
	})
	return wrap(err, "set the IPVS connection timeouts")
}

// wrap returns err with what was attempted before it, or nil.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
