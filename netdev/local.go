package netdev

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"holdfast/netdev/policy"
	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const (
	// localLimit bounds the wait until the kernel treats an address as local. That
	// usually takes 0.1 ms, and hundreds of ms if many processes want the lock.
	localLimit = time.Second
	// localUnserved bounds the wait if no director serves the address. Then waiting
	// loses as many packets as announcing too early, and other claims wait behind.
	localUnserved = 100 * time.Millisecond
	localBrief    = 10 * time.Millisecond  // after this, the first look for the local routes
	localPause    = 100 * time.Millisecond // between two such looks
	// localPoll is the first pause between two queries and localPollMax the longest.
	// The kernel's work queue needs a processor too.
	localPoll    = 50 * time.Microsecond
	localPollMax = time.Millisecond
)

// settleIn adds the addresses to devices with IPv6 that are still down, and waits
// until they are local. A device that comes up reports its multicast groups, and
// then switches send it the frames to its MAC. By then the host must treat the
// addresses as its own. h.mu is held, or a look would remove them from a bare device.
func (h *Host) settleIn(names []string, limit time.Duration) {
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
	refused := map[string]bool{} // these are added when the device comes up
	for i, err := range h.conn.Do(requests) {
		if err != nil && !errors.Is(err, unix.EEXIST) {
			refused[of[i]] = true
		}
	}
	h.awaitLocal(slices.DeleteFunc(slices.Compact(of), func(name string) bool { return refused[name] }), limit)
}

// awaitLocal returns when the kernel treats the devices' IPv6 addresses as local.
// The kernel has an address once it acknowledges the request. But a work queue adds
// the route that makes it local, and waits for the lock of the network's
// configuration (net/ipv6/addrconf.c addrconf_dad_start, __ipv6_ifa_notify).
// Packets that arrive before are forwarded, and lost.
//
// awaitLocal does not wait for an address that has the route and still is not
// local: somebody's rule or route is in the way, and all other claims would have to
// wait. h.mu is held.
func (h *Host) awaitLocal(names []string, limit time.Duration) {
	w := h.waitLocal(limit)
	for _, name := range names {
		d := h.devices[name]
		if d == nil || d.index == 0 {
			continue
		}
		w.becomeLocal(d, d.spec.Addresses)
	}
}

// A localWait is one wait for many addresses.
type localWait struct {
	conn      *rtnl.Conn
	end, look time.Time // when to give up, and when to look for the local routes
	routed    map[policy.LocalRoute]bool
}

func (h *Host) waitLocal(limit time.Duration) *localWait {
	now := time.Now()
	return &localWait{conn: h.conn, end: now.Add(min(limit, h.localLimit)), look: now.Add(localBrief)}
}

func (w *localWait) becomeLocal(d *device, addresses []Address) {
	for _, a := range addresses {
		if to := a.Prefix.Addr(); to.Is6() {
			w.await(policy.LocalRoute{Index: d.index, Address: to})
		}
	}
}

func (w *localWait) await(r policy.LocalRoute) {
	for pause := localPoll; !isLocal(w.conn, r.Index, r.Address); pause = min(2*pause, localPollMax) {
		now := time.Now()
		if !now.Before(w.look) && !w.routed[r] {
			w.routed, w.look = policy.LocalRoutes(), now.Add(localPause)
		}
		if w.routed[r] || !now.Before(w.end) {
			return
		}
		time.Sleep(pause)
	}
}

// isLocal reports whether the kernel would deliver to the host a packet that comes
// in on an interface for an IPv6 address.
func isLocal(c *rtnl.Conn, index int, address netip.Addr) bool {
	r := nl.NewNetlinkRequest(unix.RTM_GETROUTE, 0)
	r.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET6, Dst_len: 128}})
	r.AddData(nl.NewRtAttr(unix.RTA_DST, address.AsSlice()))
	r.AddData(nl.NewRtAttr(unix.RTA_IIF, nl.Uint32Attr(uint32(index))))
	route, err := c.Ask(r, unix.RTM_NEWROUTE)
	return err == nil && len(route) >= unix.SizeofRtMsg && route[7] == unix.RTN_LOCAL
}
