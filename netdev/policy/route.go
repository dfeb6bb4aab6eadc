package policy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A Route is a route that is in the kernel while a device is claimed.
type Route struct {
	To     netip.Prefix
	Type   string     // an element of RouteTypes; "": unicast
	Via    netip.Addr // the zero Addr: none; an IPv4 route may have an IPv6 gateway
	Device string     // "": the device itself
	// Any makes the kernel take the device that reaches Via. Device is then "", and
	// Checked is true.
	Any    bool
	Table  uint32
	VRF    string     // not "": use the table of this VRF device instead
	Source netip.Addr // preferred source; the zero Addr: the kernel's choice
	Metric uint32     // 0: the kernel's
	Scope  string     // an element of RouteScopes; "": link without a gateway, host for type local, else global
	TOS    uint8      // IPv4
	// Checked makes the kernel check that Via is in a subnet of the device. Otherwise
	// Via is taken to be on the link, because the device has no connected route if
	// the subnet is the parent's.
	Checked bool
	// Hops are several next hops. They replace Via and Device.
	Hops       []Hop  `json:",omitempty"`
	Realm      Realm  // IPv4
	Preference string // IPv6 router preference: low, medium, high; "": medium
	Options    RouteOptions
	Encap      Encap
}

// A Hop is one of several next hops of a route.
type Hop struct {
	Via     netip.Addr
	Device  string // "": the device itself
	Any     bool   // as in Route
	Weight  int    // 1 to 256; 0 is 1
	Checked bool   // as in Route
	Encap   Encap
}

// A Realm classifies packets for accounting; 0 is none.
type Realm struct{ From, To uint16 }

// RouteOptions are the metrics of a route (include/uapi/linux/rtnetlink.h RTAX_*). 0
// means the kernel's own. Durations are whole milliseconds.
type RouteOptions struct {
	MTU, AdvMSS, Window, SSThresh, Cwnd, InitCwnd, InitRwnd, Reordering, HopLimit uint32

	RTT, RTTVar, RTOMin        time.Duration
	QuickAck, FastOpenNoCookie bool
	ECN                        bool
	Congestion                 string   // the algorithm; "": the kernel's
	Lock                       []string `json:",omitempty"` // elements of LockableOptions that the kernel must not change
}

// RouteTypes are the types of routes, as `ip route` calls them.
var RouteTypes = []string{"unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw"}

// RouteScopes are the scopes of a route, as `ip route` calls them.
var RouteScopes = []string{"global", "site", "link", "host", "nowhere"}

var scopeNumbers = [...]uint8{unix.RT_SCOPE_UNIVERSE, unix.RT_SCOPE_SITE, unix.RT_SCOPE_LINK, unix.RT_SCOPE_HOST, unix.RT_SCOPE_NOWHERE}

// routerPreferences are those of RFC 4191 §2.1.
var routerPreferences = map[string]uint8{"medium": 0, "high": 1, "low": 3}

// number returns the index of word in words, and def if it is not there.
func number(words []string, word string, def int) int {
	for i, w := range words {
		if w == word {
			return i
		}
	}
	return def
}

// kind returns the RTN_ number of the route's type.
func (r *Route) kind() uint8 { return uint8(number(RouteTypes, r.Type, 0)) + unix.RTN_UNICAST }

// refuses reports whether the route drops packets.
func (r *Route) refuses() bool { return r.kind() >= unix.RTN_BLACKHOLE }

// scope returns the RT_SCOPE_ number, as `ip route` chooses it.
func (r *Route) scope() uint8 {
	leads := r.Via.IsValid() || len(r.Hops) > 0
	switch kind := r.kind(); {
	case r.To.Addr().Is6():
		return unix.RT_SCOPE_UNIVERSE
	case r.Scope != "":
		return scopeNumbers[number(RouteScopes, r.Scope, 0)]
	case kind == unix.RTN_LOCAL:
		return unix.RT_SCOPE_HOST
	case r.refuses(), kind == unix.RTN_UNICAST && leads:
		return unix.RT_SCOPE_UNIVERSE
	}
	return unix.RT_SCOPE_LINK
}

// String returns the route as `ip route` writes it, without its options:
// "route 0.0.0.0/0 via 10.0.0.1 table 7".
func (r Route) String() string {
	var b strings.Builder
	b.WriteString("route ")
	if r.Type != "" && r.Type != RouteTypes[0] {
		b.WriteString(r.Type + " ")
	}
	b.WriteString(r.To.String())
	if r.TOS != 0 {
		fmt.Fprintf(&b, " tos %#x", r.TOS)
	}
	if r.Via.IsValid() {
		b.WriteString(" via " + r.Via.String())
	}
	if r.Device != "" {
		b.WriteString(" dev " + r.Device)
	}
	for _, h := range r.Hops {
		b.WriteString(" nexthop")
		if h.Via.IsValid() {
			b.WriteString(" via " + h.Via.String())
		}
		if h.Device != "" {
			b.WriteString(" dev " + h.Device)
		}
	}
	if r.VRF != "" {
		b.WriteString(" vrf " + r.VRF)
	} else {
		fmt.Fprintf(&b, " table %d", r.Table)
	}
	if r.Metric != 0 {
		fmt.Fprintf(&b, " metric %d", r.Metric)
	}
	return b.String()
}

func family(v6 bool) int {
	if v6 {
		return netlink.FAMILY_V6
	}
	return netlink.FAMILY_V4
}

// A routeKey is what the kernel distinguishes routes by. It refuses a second route with
// the same key, unless the request asks to append it.
type routeKey struct {
	to     netip.Prefix
	table  uint32
	metric uint32
	tos    uint8
}

// ipv6Metric is the metric that IPv6 uses instead of 0 (IP6_RT_PRIO_USER).
const ipv6Metric = 1024

// key returns the route's key in a table.
func (r *Route) key(table uint32) routeKey {
	k := routeKey{r.To, table, r.Metric, r.TOS}
	if r.To.Addr().Is6() && k.metric == 0 {
		k.metric = ipv6Metric
	}
	return k
}

// A lookup finds interfaces by their names.
type lookup interface {
	// index returns the index of an interface, or 0 if it does not exist. "" means
	// the device itself.
	index(name string) int
	// vrf returns the table of a VRF device, or 0 if it does not exist.
	vrf(name string) uint32
}

// table returns the route's table. The error says what is missing.
func (r *Route) table(l lookup) (uint32, error) {
	if r.VRF == "" {
		return r.Table, nil
	}
	if t := l.vrf(r.VRF); t != 0 {
		return t, nil
	}
	return 0, fmt.Errorf("VRF device %s does not exist", r.VRF)
}

// devices returns the interfaces that a route leaves by, without those that the kernel
// chooses.
func (r *Route) devices() []string {
	if r.refuses() {
		return nil
	}
	var names []string
	for _, h := range r.Hops {
		if !h.Any {
			names = append(names, h.Device)
		}
	}
	if len(r.Hops) == 0 && !r.Any {
		names = append(names, r.Device)
	}
	return names
}

// header starts a request about the route with a key.
func (k *routeKey) header(request, flags int, kind, scope uint8) (*nl.NetlinkRequest, *nl.RtMsg) {
	q := nl.NewNetlinkRequest(request, flags)
	m := &nl.RtMsg{RtMsg: unix.RtMsg{
		Family: uint8(family(k.to.Addr().Is6())), Dst_len: uint8(k.to.Bits()), Tos: k.tos,
		Table: unix.RT_TABLE_UNSPEC, Protocol: Protocol, Scope: scope, Type: kind,
	}}
	q.AddData(m)
	q.AddData(nl.NewRtAttr(unix.RTA_DST, k.to.Addr().AsSlice()))
	q.AddData(nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(k.table)))
	if k.metric != 0 {
		q.AddData(nl.NewRtAttr(unix.RTA_PRIORITY, nl.Uint32Attr(k.metric)))
	}
	return q, m
}

// deleteRequest removes our route with a key, whatever its next hops are: their
// interfaces may have another index by now, or be gone.
func (k *routeKey) deleteRequest() *nl.NetlinkRequest {
	q, _ := k.header(unix.RTM_DELROUTE, 0, 0, unix.RT_SCOPE_NOWHERE)
	return q
}

// bending reports whether an unchecked gateway is IPv6 and not link-local. The kernel
// looks for such a gateway in the route's table, or, if the request says that it is on
// the link, in the main table, where it must not be reached through another device
// (net/ipv6/route.c ip6_validate_gw). Either may fail, so both are tried.
func (r *Route) bending() bool {
	global := func(via netip.Addr, checked bool) bool {
		return via.Is6() && !via.IsLinkLocalUnicast() && !checked
	}
	return r.To.Addr().Is6() && (global(r.Via, r.Checked) ||
		slices.ContainsFunc(r.Hops, func(h Hop) bool { return global(h.Via, h.Checked) }))
}

// nextHopFlags returns the flags of a next hop; bend is for what bending reports.
func (r *Route) nextHopFlags(via netip.Addr, checked, bend bool) uint8 {
	if via.IsValid() && !checked && (bend || r.To.Addr().Is4()) {
		return unix.RTNH_F_ONLINK
	}
	return 0
}

// addRequest adds the route. The error says which interface is missing.
func (r *Route) addRequest(k routeKey, l lookup, bend bool) (*nl.NetlinkRequest, error) {
	q, m := k.header(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, r.kind(), r.scope())
	for _, name := range r.devices() {
		switch {
		case l.index(name) != 0:
		case name == "":
			return nil, errors.New("the virtual router's own device does not exist")
		default:
			return nil, fmt.Errorf("interface %s does not exist", name)
		}
	}
	switch {
	case r.refuses():
	case len(r.Hops) > 0:
		q.AddData(nl.NewRtAttr(unix.RTA_MULTIPATH, r.hops(l, bend)))
	default:
		if !r.Any {
			q.AddData(nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(l.index(r.Device)))))
		}
		m.Flags = uint32(r.nextHopFlags(r.Via, r.Checked, bend))
		for _, a := range wayAttributes(r.To, r.Via, &r.Encap) {
			q.AddData(a)
		}
	}
	if r.Source.IsValid() {
		q.AddData(nl.NewRtAttr(unix.RTA_PREFSRC, r.Source.AsSlice()))
	}
	if r.Realm != (Realm{}) {
		q.AddData(nl.NewRtAttr(unix.RTA_FLOW, r.Realm.attribute()))
	}
	if p, given := routerPreferences[r.Preference]; given {
		q.AddData(nl.NewRtAttr(unix.RTA_PREF, []byte{p}))
	}
	if metrics := r.Options.attribute(); metrics != nil {
		q.AddData(metrics)
	}
	return q, nil
}

func (r Realm) attribute() []byte { return nl.Uint32Attr(uint32(r.From)<<16 | uint32(r.To)) }

// wayAttributes returns the attributes that say how the next hop is reached.
func wayAttributes(to netip.Prefix, via netip.Addr, e *Encap) []*nl.RtAttr {
	var all []*nl.RtAttr
	switch {
	case !via.IsValid():
	case via.Is4() == to.Addr().Is4():
		all = append(all, nl.NewRtAttr(unix.RTA_GATEWAY, via.AsSlice()))
	default: // struct rtvia
		all = append(all, nl.NewRtAttr(unix.RTA_VIA, append(nl.Uint16Attr(uint16(family(via.Is6()))), via.AsSlice()...)))
	}
	return append(all, e.attributes()...)
}

// hops returns the body of RTA_MULTIPATH: a struct rtnexthop with attributes for each
// next hop.
func (r *Route) hops(l lookup, bend bool) []byte {
	var out []byte
	for i := range r.Hops {
		h := &r.Hops[i]
		var attributes []byte
		for _, a := range wayAttributes(r.To, h.Via, &h.Encap) {
			attributes = append(attributes, a.Serialize()...)
		}
		out = binary.NativeEndian.AppendUint16(out, uint16(unix.SizeofRtNexthop+len(attributes)))
		out = append(out, r.nextHopFlags(h.Via, h.Checked, bend), uint8(max(h.Weight, 1)-1))
		index := 0 // the kernel looks for it
		if !h.Any {
			index = l.index(h.Device)
		}
		out = binary.NativeEndian.AppendUint32(out, uint32(index))
		out = append(out, attributes...)
	}
	return out
}

// LockableOptions are the values of RouteOptions.Lock, in the order of the kernel's
// numbers (RTAX_MTU and so on).
var LockableOptions = []string{
	"mtu", "window", "rtt", "rttvar", "ssthresh", "cwnd", "advmss", "reordering", "hoplimit", "initcwnd",
	"features", "rto_min", "initrwnd", "quickack", "congctl",
}

const (
	rtaxFastOpenNoCookie = 17
	rtaxFeatureECN       = 1
)

// attribute returns RTA_METRICS, or nil if no option is set. The kernel's units of the
// three times are eighths, quarters and whole milliseconds.
func (o *RouteOptions) attribute() *nl.RtAttr {
	values := map[int]uint32{
		unix.RTAX_MTU: o.MTU, unix.RTAX_WINDOW: o.Window, unix.RTAX_SSTHRESH: o.SSThresh, unix.RTAX_CWND: o.Cwnd,
		unix.RTAX_ADVMSS: o.AdvMSS, unix.RTAX_REORDERING: o.Reordering, unix.RTAX_HOPLIMIT: o.HopLimit,
		unix.RTAX_INITCWND: o.InitCwnd, unix.RTAX_INITRWND: o.InitRwnd,
		unix.RTAX_RTT: uint32(o.RTT.Milliseconds() * 8), unix.RTAX_RTTVAR: uint32(o.RTTVar.Milliseconds() * 4),
		unix.RTAX_RTO_MIN: uint32(o.RTOMin.Milliseconds()),
	}
	for number, on := range map[int]bool{unix.RTAX_QUICKACK: o.QuickAck, rtaxFastOpenNoCookie: o.FastOpenNoCookie} {
		if on {
			values[number] = 1
		}
	}
	if o.ECN {
		values[unix.RTAX_FEATURES] = rtaxFeatureECN
	}
	for _, word := range o.Lock {
		values[unix.RTAX_LOCK] |= 1 << (unix.RTAX_MTU + number(LockableOptions, word, 0))
	}
	if o.RTOMin != 0 { // the kernel ignores it unless it is locked (net/ipv4/tcp_output.c tcp_rto_min)
		values[unix.RTAX_LOCK] |= 1 << unix.RTAX_RTO_MIN
	}
	metrics, empty := nl.NewRtAttr(unix.RTA_METRICS, nil), true
	for number := unix.RTAX_LOCK; number <= rtaxFastOpenNoCookie; number++ {
		if v := values[number]; v != 0 {
			metrics.AddRtAttr(number, nl.Uint32Attr(v))
			empty = false
		}
	}
	if o.Congestion != "" {
		metrics.AddRtAttr(unix.RTAX_CC_ALGO, nl.ZeroTerminated(o.Congestion))
		empty = false
	}
	if empty {
		return nil
	}
	return metrics
}
