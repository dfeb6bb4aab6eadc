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
	// localLimit bounds the wait for the kernel to take an address for its own.
	// Some 0.1 ms is usual, hundreds of ms where everybody wants that lock.
	localLimit = time.Second
	// localUnserved bounds it where nobody serves: who waits loses no less than who
	// speaks too early, and the claims of others wait behind.
	localUnserved = 100 * time.Millisecond
	localBrief    = 10 * time.Millisecond  // until it is found out what it waits for,
	localPause    = 100 * time.Millisecond // and until that again
	// localPoll is the first pause between two looks, localPollMax the longest: who
	// is waited for needs a processor too.
	localPoll    = 50 * time.Microsecond
	localPollMax = time.Millisecond
)

// settleIn puts the addresses of devices with IPv6 that are down on them, and
// waits until they are local. A device that comes up reports its multicast
// groups, which draws what is sent to its MAC: by then the addresses must be the
// director's own. h.mu is held, or a look would take them off a bare device.
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
	refused := map[string]bool{} // asked for again when the device comes up
	for i, err := range h.conn.Do(requests) {
		if err != nil && !errors.Is(err, unix.EEXIST) {
			refused[of[i]] = true
		}
	}
	h.awaitLocal(slices.DeleteFunc(slices.Compact(of), func(name string) bool { return refused[name] }), limit)
}

// awaitLocal returns when the kernel takes packets for the devices' IPv6
// addresses for its own. An address is there when its request is acknowledged,
// but the route that makes it local is put in by a work queue, which waits for
// the lock of the network's configuration (net/ipv6/addrconf.c
// addrconf_dad_start, __ipv6_ifa_notify). What an advert draws here before that
// is forwarded, and lost.
//
// An address that has that route and still is not local is not waited for: a rule
// or a route of somebody's keeps it from that, and the claims of all others wait
// behind. h.mu is held.
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
	end, look time.Time // when to give up, and when to look for the routes
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

// isLocal reports whether the kernel would keep a packet that comes in by an
// interface for an IPv6 address.
func isLocal(c *rtnl.Conn, index int, address netip.Addr) bool {
	r := nl.NewNetlinkRequest(unix.RTM_GETROUTE, 0)
	r.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET6, Dst_len: 128}})
	r.AddData(nl.NewRtAttr(unix.RTA_DST, address.AsSlice()))
	r.AddData(nl.NewRtAttr(unix.RTA_IIF, nl.Uint32Attr(uint32(index))))
	route, err := c.Ask(r, unix.RTM_NEWROUTE)
	return err == nil && len(route) >= unix.SizeofRtMsg && route[7] == unix.RTN_LOCAL
}
