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

// Do makes one change. Its error wraps the error number of the kernel and,
// where one fits, the error of package lvs.
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

// explain joins what the kernel answered with what that means
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
		known = fmt.Errorf("%w, or no such persistence engine: modprobe ip_vs_%s ip_vs_pe_%s", lvs.ErrNoScheduler, op.Service.Scheduler, op.Service.PersistEngine)
	case errors.Is(err, syscall.ENOENT):
		known = fmt.Errorf("%w: modprobe ip_vs_%s", lvs.ErrNoScheduler, op.Service.Scheduler)
	case errors.Is(err, syscall.EINVAL) && op.Verb.Server() && op.Server.Address.Addr().Unmap().Is6() != op.Service.Key.Canonical().IPv6:
		known = errors.New("a server of another family needs forward tun and no sync daemon")
	default:
		return err
	}
	return fmt.Errorf("%w (%w)", known, err)
}

// toMoby translates a service.
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

// netmask is the inverse of prefix: moby/ipvs sends the number in the host's
// byte order, and the kernel reads an IPv4 mask in network order.
func netmask(length int, v6 bool) uint32 {
	if v6 {
		return uint32(length)
	}
	mask := net.CIDRMask(length, 32)
	return native.Uint32(mask)
}

// Zero sets the counters of the given services to 0, those of all services
// if none is given.
func (c *Conn) Zero(keys ...lvs.Key) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(keys) == 0 {
		_, err := c.own.do(request{command: cmdZero})
		return wrap(err, "zero the counters")
	}
	for _, key := range keys {
		key = key.Canonical()
		if _, err := c.own.do(request{command: cmdZero, attrs: []*nl.RtAttr{encodeKey(key)}}); err != nil {
			return wrap(explain(lvs.Op{Verb: lvs.EditService}, err), "zero the counters of %v", key)
		}
	}
	return nil
}

// Timeouts returns after how long the kernel forgets idle connections.
func (c *Conn) Timeouts() (lvs.Timeouts, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, err := call(c, (*moby.Handle).GetConfig)
	if err != nil {
		return lvs.Timeouts{}, wrap(err, "read the connection timeouts")
	}
	return lvs.Timeouts{TCP: m.TimeoutTCP, TCPFin: m.TimeoutTCPFin, UDP: m.TimeoutUDP}, nil
}

// SetTimeouts sets after how long the kernel forgets idle connections. A zero
// leaves the timeout as it is.
func (c *Conn) SetTimeouts(t lvs.Timeouts) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := call(c, func(h *moby.Handle) (struct{}, error) {
		return struct{}{}, h.SetConfig(&moby.Config{TimeoutTCP: t.TCP, TimeoutTCPFin: t.TCPFin, TimeoutUDP: t.UDP})
	})
	return wrap(err, "set the connection timeouts")
}

// wrap says what was attempted; nil stays nil.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
