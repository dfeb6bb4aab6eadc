package netdev

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const (
	// localLimit bounds the wait for the kernel to take an address for its own.
	// Some 0.1 ms is usual, hundreds of ms where everybody wants that lock.
	localLimit = time.Second
	localBrief = 10 * time.Millisecond // bounds it where that was in vain
	localPoll  = 50 * time.Microsecond
)

// settleIn puts the addresses of devices with IPv6 that are down on them, and
// waits until they are local. A device that comes up reports its multicast
// groups, which draws what is sent to its MAC: by then the addresses must be the
// director's own. h.mu is held, or a look would take them off a bare device.
func (h *Host) settleIn(names []string) {
	var requests []*nl.NetlinkRequest
	var of []string
	for _, name := range names {
		d := h.devices[name]
		if d == nil || d.index == 0 || d.state != Bare || !d.spec.virtual() || !d.spec.wantsIPv6() {
			continue
		}
		requests = addRequests(requests, d)
		for len(of) < len(requests) {
			of = append(of, name)
		}
	}
	if len(requests) == 0 {
		return
	}
	refused := map[string]bool{} // asked for again when the device comes up
	for i, err := range h.conn.do(requests) {
		if err != nil && !errors.Is(err, unix.EEXIST) {
			refused[of[i]] = true
		}
	}
	h.awaitLocal(slices.DeleteFunc(slices.Compact(of), func(name string) bool { return refused[name] }))
}

// awaitLocal returns when the kernel takes packets for the devices' IPv6
// addresses for its own. An address is there when its request is acknowledged,
// but the route that makes it local is put in by a work queue, which waits for
// the lock of the network's configuration (net/ipv6/addrconf.c
// addrconf_dad_start, __ipv6_ifa_notify). What an advert draws here before that
// is forwarded, and lost.
//
// Devices whose addresses were not local in all that time are waited for briefly
// from then on, all together: most likely it is a rule or a route of somebody's
// that keeps them from it, and the claims of all others wait behind. h.mu is held.
func (h *Host) awaitLocal(names []string) {
	end := time.Now().Add(h.localLimit)
	for _, name := range names {
		d := h.devices[name]
		if d == nil || d.index == 0 {
			continue
		}
		h.becomeLocal(d, d.spec.Addresses, end)
	}
}

func (h *Host) becomeLocal(d *device, addresses []Address, end time.Time) {
	there := true
	if d.neverLocal {
		end = end.Add(localBrief - h.localLimit) // as if that had been the limit
	}
	for _, a := range addresses {
		if a.Prefix.Addr().Is6() {
			there = h.becomesLocal(d.index, a.Prefix.Addr(), end) && there
		}
	}
	d.neverLocal = !there
}

func (h *Host) becomesLocal(index int, address netip.Addr, end time.Time) bool {
	for !h.conn.isLocal(index, address) {
		if !time.Now().Before(end) {
			return false
		}
		time.Sleep(localPoll)
	}
	return true
}

// isLocal reports whether the kernel would keep a packet that comes in by an
// interface for an IPv6 address.
func (c *conn) isLocal(index int, address netip.Addr) bool {
	r := nl.NewNetlinkRequest(unix.RTM_GETROUTE, 0)
	r.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET6, Dst_len: 128}})
	r.AddData(nl.NewRtAttr(unix.RTA_DST, address.AsSlice()))
	r.AddData(nl.NewRtAttr(unix.RTA_IIF, nl.Uint32Attr(uint32(index))))
	route, err := c.ask(r, unix.RTM_NEWROUTE)
	return err == nil && len(route) >= unix.SizeofRtMsg && route[7] == unix.RTN_LOCAL
}
