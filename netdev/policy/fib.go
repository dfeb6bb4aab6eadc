package policy

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// maxFIB is the most routes of a table that egress copies from. It refuses to work with
// a table that has more.
const maxFIB = 10000

var errManyRoutes = fmt.Errorf("the table has more than %d routes", maxFIB)

// A fibRoute is a route with what a copy of it needs.
type fibRoute struct {
	routeKey
	head unix.RtMsg
	via  bool // there is a gateway
	hops []int
	dead bool
	// attributes are those of a copy, by kind, without destination and table. They
	// contain the index of the interface.
	attributes map[uint16][]byte
}

// Attributes of routes that x/sys/unix does not name.
const (
	rtaVia       = 18
	rtaPref      = 20
	rtaEncapType = 21
	rtaEncap     = 22
)

// copiedAttributes are the attributes that define a route. The kernel reports others
// too.
var copiedAttributes = []uint16{
	unix.RTA_OIF, unix.RTA_GATEWAY, unix.RTA_PRIORITY, unix.RTA_METRICS, unix.RTA_MULTIPATH, unix.RTA_FLOW,
	rtaVia, rtaPref, rtaEncapType, rtaEncap,
}

func parseFIB(b []byte) (fibRoute, error) {
	r := fibRoute{attributes: map[uint16][]byte{}}
	var err error
	if r.head, r.routeKey, err = parseRouteKey(b); err != nil {
		return r, err
	}
	r.dead = r.head.Flags&unix.RTNH_F_DEAD != 0
	rtnl.EachAttribute(slices.Clone(b[unix.SizeofRtMsg:]), func(kind uint16, value []byte) {
		switch kind {
		case unix.RTA_OIF:
			r.hops = append(r.hops, int(binary.NativeEndian.Uint32(value)))
		case unix.RTA_GATEWAY, rtaVia:
			r.via = true
		case unix.RTA_MULTIPATH:
			r.via = true
			eachHop(value, func(h []byte) {
				h[2] &= unix.RTNH_F_ONLINK // the other flags are its current state
				r.hops = append(r.hops, int(binary.NativeEndian.Uint32(h[4:])))
			})
		}
		if slices.Contains(copiedAttributes, kind) {
			r.attributes[kind] = value
		}
	})
	r.normalise()
	return r, nil
}

// normalise removes what does not distinguish routes.
func (r *fibRoute) normalise() {
	r.head.Table = unix.RT_TABLE_UNSPEC
	r.head.Flags &= unix.RTNH_F_ONLINK
	if r.head.Type == unix.RTN_THROW { // IPv6 reports lo as its interface
		r.hops = nil
		for kind := range r.attributes {
			if kind != unix.RTA_PRIORITY {
				delete(r.attributes, kind)
			}
		}
	}
}

// eachHop calls do with each struct rtnexthop of a multipath attribute.
func eachHop(b []byte, do func([]byte)) {
	for len(b) >= unix.SizeofRtNexthop {
		length := int(binary.NativeEndian.Uint16(b))
		if length < unix.SizeofRtNexthop || length > len(b) {
			return
		}
		do(b[:length])
		b = b[min((length+3)&^3, len(b)):]
	}
}

// by reports whether all next hops of a route leave by one of two interfaces.
func (r *fibRoute) by(a, b int) bool {
	return r.head.Type == unix.RTN_UNICAST && len(r.hops) > 0 &&
		!slices.ContainsFunc(r.hops, func(i int) bool { return i != a && i != b })
}

// through returns the route by another interface, in another table. An IPv4 gateway is
// marked as on the link, because only the parent may have its subnet.
func (r *fibRoute) through(index int, table uint32) fibRoute {
	c := *r
	c.table, c.hops = table, []int{index}
	c.head.Protocol = Protocol
	c.attributes = map[uint16][]byte{}
	for kind, value := range r.attributes {
		switch kind {
		case unix.RTA_OIF:
			value = nl.Uint32Attr(uint32(index))
		case unix.RTA_MULTIPATH:
			value = slices.Clone(value)
			eachHop(value, func(h []byte) {
				binary.NativeEndian.PutUint32(h[4:], uint32(index))
				if r.to.Addr().Is4() {
					h[2] |= unix.RTNH_F_ONLINK
				}
			})
		}
		c.attributes[kind] = value
	}
	if r.via && r.attributes[unix.RTA_MULTIPATH] == nil && r.to.Addr().Is4() {
		c.head.Flags |= unix.RTNH_F_ONLINK
	}
	return c
}

// throw returns the route that makes a lookup of this one's destination leave the table.
func (r *fibRoute) throw(table uint32) fibRoute {
	c := fibRoute{routeKey: r.routeKey, head: r.head, attributes: map[uint16][]byte{}}
	c.table = table
	c.head.Type, c.head.Scope, c.head.Protocol, c.head.Flags = unix.RTN_THROW, unix.RT_SCOPE_UNIVERSE, Protocol, 0
	if p := r.attributes[unix.RTA_PRIORITY]; p != nil {
		c.attributes[unix.RTA_PRIORITY] = p
	}
	return c
}

// request adds or deletes the route.
func (r *fibRoute) request(kind, flags int) *nl.NetlinkRequest {
	q := nl.NewNetlinkRequest(kind, flags)
	q.AddData(&nl.RtMsg{RtMsg: r.head})
	if r.to.Bits() > 0 {
		q.AddData(nl.NewRtAttr(unix.RTA_DST, r.to.Addr().AsSlice()))
	}
	q.AddData(nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(r.table)))
	for _, kind := range copiedAttributes {
		if value := r.attributes[kind]; value != nil {
			q.AddData(nl.NewRtAttr(int(kind), value))
		}
	}
	return q
}

// whole returns a string that is equal for equal routes.
func (r *fibRoute) whole() string {
	q := r.request(0, 0)
	q.Seq = 0
	return string(q.Serialize())
}

// order sorts routes with a gateway behind those that make the gateway reachable.
func (r *fibRoute) order() int {
	if r.via {
		return 1
	}
	return 0
}

// String returns "route 0.0.0.0/0 table 1207959559".
func (r *fibRoute) String() string {
	var s strings.Builder
	if r.head.Type == unix.RTN_THROW {
		s.WriteString("throw ")
	}
	fmt.Fprintf(&s, "route %v", r.to)
	if gateway, ok := netip.AddrFromSlice(r.attributes[unix.RTA_GATEWAY]); ok {
		fmt.Fprintf(&s, " via %v", gateway)
	}
	fmt.Fprintf(&s, " table %d", r.table)
	return s.String()
}

// egressRoutes returns the routes of a device's table, made from those of the table that
// it repeats.
func egressRoutes(all []fibRoute, d *EgressDevice) []fibRoute {
	var routes []fibRoute
	taken := map[routeKey]bool{}
	for i := range all {
		if r := &all[i]; r.by(d.Parent, d.Index) && !r.dead {
			routes = append(routes, r.through(d.Index, d.table()))
			taken[r.routeKey] = true
		}
	}
	own := slices.Clone(routes)
	for i := range all {
		r := &all[i]
		within := slices.ContainsFunc(own, func(o fibRoute) bool { return o.to.Bits() <= r.to.Bits() && o.to.Contains(r.to.Addr()) })
		if within && !taken[r.routeKey] {
			routes = append(routes, r.throw(d.table()))
			taken[r.routeKey] = true
		}
	}
	return routes
}

// dumpRoutes returns the routes of both families that pass a filter, in the kernel's
// order. c cannot be used after an error.
func dumpRoutes(c *rtnl.Conn, f routeFilter) ([]fibRoute, error) {
	var all []fibRoute
	for _, v6 := range []bool{false, true} {
		before := len(all)
		err := eachRoute(c, v6, f, func() { all = all[:before] }, func(b []byte) error {
			r, err := parseFIB(b)
			switch {
			case err != nil:
				return err
			case !f.passes(r.head.Protocol, &r.routeKey):
				return nil
			case len(all) == maxFIB:
				return errManyRoutes
			}
			all = append(all, r)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}
