package conf

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/vrrp"
)

// A Route is a route that exists while an instance has its addresses. The kernel
// chooses fields that are "" or 0.
type Route struct {
	To         netip.Prefix
	Type       string     // as `ip route` calls it: unicast, blackhole, ...
	Via        netip.Addr // the zero Addr: on the link
	Device     string     // "": the device of the virtual addresses; or AutoDevice
	OnLink     bool       // Via need not be in a subnet of the device
	Hops       []Hop      // several next hops, instead of the three fields above
	Table      uint32
	VRF        string // a VRF device, whose table is used; "": Table
	Source     netip.Addr
	Metric     uint32
	Scope      string
	TOS        uint8
	Realm      Realm
	Preference string
	Options    RouteOptions
	Encap      Encap
}

// A Hop is one of several next hops of a route.
type Hop struct {
	Via    netip.Addr
	Device string // "": the device of the virtual addresses; or AutoDevice
	Weight int
	OnLink bool
	Encap  Encap
}

// A Realm is a pair of realms for accounting; 0 is none.
type Realm struct{ From, To uint16 }

// RouteOptions are the metrics of a route. Lock has the names of those that the
// kernel must not change by what it measures.
type RouteOptions struct {
	MTU, AdvMSS, Window, SSThresh, Cwnd, InitCwnd, InitRwnd, Reordering, HopLimit uint32

	RTT, RTTVar, RTOMin        time.Duration
	QuickAck, FastOpenNoCookie bool
	ECN                        bool
	Congestion                 string
	Lock                       []string
}

// VMAC stands for the device of the virtual addresses in routes and rules.
const VMAC = "vmac"

// AutoDevice stands for the device that reaches the gateway, which the kernel chooses.
const AutoDevice = "auto"

var routeDevice = textual("the name of an interface", func(s string) (string, error) {
	if s == VMAC {
		return "", nil
	}
	return interfaceName.decodeText(s)
}, func(s string) string {
	if s == "" {
		return VMAC
	}
	return s
})

// word is one of a few words.
func word(words ...string) codec[string] {
	options := make([]option[string], len(words))
	for i, w := range words {
		options[i] = option[string]{w, w}
	}
	return choice(options...)
}

var (
	routeTypes = word("unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw")
	refusing   = []string{"blackhole", "unreachable", "prohibit", "throw"}
	scopes     = word("global", "site", "link", "host", "nowhere")
	lockable   = word("mtu", "window", "rtt", "rttvar", "ssthresh", "cwnd", "advmss", "reordering", "hoplimit", "initcwnd",
		"features", "rto_min", "initrwnd", "quickack", "congctl")
)

// everywhere is the word for the prefix of length 0.
const everywhere = "default"

// destination is a prefix; "default" is the zero Prefix until the family is known.
var destination = textual(`a prefix, like "10.0.0.0/8", or "default",`, func(s string) (netip.Prefix, error) {
	if s == everywhere {
		return netip.Prefix{}, nil
	}
	return routePrefix.decodeText(s)
}, netip.Prefix.String)

func allOf(family vrrp.Family) netip.Prefix {
	if family == vrrp.IPv6 {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

func (r *Route) visit(t *table, own vrrp.Family) {
	need(t, "to", &r.To, destination)
	field(t, "type", &r.Type, routeTypes, "unicast")
	refuses := slices.Contains(refusing, r.Type)
	hops := hop
	if t.brief {
		hops.encode = briefHop
	}
	field(t, "nexthops", &r.Hops, listOf(hops), nil)
	if t.reading() || !refuses && len(r.Hops) == 0 {
		field(t, "device", &r.Device, routeDevice, "")
		field(t, "via", &r.Via, optional(neighbourAddress), netip.Addr{})
	}
	if t.reading() || r.Via.IsValid() && r.Device != AutoDevice {
		field(t, "onlink", &r.OnLink, boolean, true)
	}
	if t.reading() || r.VRF == "" {
		field(t, "table", &r.Table, routeTable(t), mainTable)
	}
	field(t, "vrf", &r.VRF, optional(interfaceName), "")
	field(t, "source", &r.Source, optional(neighbourAddress), netip.Addr{})
	field(t, "metric", &r.Metric, integer[uint32](0, 1<<32-1), 0)
	field(t, "scope", &r.Scope, optional(scopes), "")
	field(t, "tos", &r.TOS, optional(trafficClass), 0)
	field(t, "realm", &r.Realm, optional(realm), Realm{})
	field(t, "preference", &r.Preference, optional(word("low", "medium", "high")), "")
	r.Options.visit(t)
	field(t, "encap", &r.Encap, encap, Encap{})
	if t.reading() {
		r.check(t, own, refuses)
	}
}

// check determines the family and checks combinations of keys.
func (r *Route) check(t *table, own vrrp.Family, refuses bool) {
	switch {
	case refuses:
		why := `with type = "` + r.Type + `", because such a route has no next hop`
		t.forbid(why, "nexthops", "device", "via", "onlink", "source", "encap")
		t.forbid(why, routeOptionKeys...)
	case t.has("nexthops"):
		t.forbid("with nexthops, because each of them has its own", "device", "via", "onlink", "encap")
		if t.ok("nexthops") && len(r.Hops) < 2 {
			t.failf("nexthops", "needs at least two next hops: for one, use via and device")
		}
	case !t.has("via"):
		t.forbid("without via", "onlink")
	}
	if t.has("vrf") {
		t.forbid("with vrf, because the VRF determines the table", "table")
		r.Table = 0
	}
	if t.ok("to") && !r.To.IsValid() && t.has("to") {
		r.To = allOf(r.family(own))
	}
	if r.Device == AutoDevice && t.ok("device") {
		r.checkAuto(t)
	}
	if !r.Via.IsValid() {
		r.OnLink = false
	}
	if r.To.IsValid() && t.ok("to") {
		r.checkFamily(t)
	}
}

// checkAuto checks a route whose device the kernel finds by its gateway.
func (r *Route) checkAuto(t *table) {
	switch {
	case !t.has("via"):
		t.failf("device", `"auto" needs via: the kernel takes the device that reaches the gateway`)
	case t.has("onlink") && r.OnLink:
		t.failf("onlink", `must be false with device = "auto", because the kernel looks for the gateway's subnet`)
	}
	r.OnLink = false
}

// family returns the family of a route to "default".
func (r *Route) family(own vrrp.Family) vrrp.Family {
	all := []netip.Addr{r.Source, r.Via}
	for _, h := range r.Hops {
		all = append(all, h.Via)
	}
	for _, a := range all {
		if a.IsValid() {
			return vrrp.FamilyOf(a)
		}
	}
	return own
}

func (r *Route) checkFamily(t *table) {
	v4 := r.To.Addr().Is4()
	if r.Source.IsValid() && t.ok("source") && r.Source.Is4() != v4 {
		t.failf("source", "%v and the destination %v must have the same address family", r.Source, r.To)
	}
	// An IPv4 route may have an IPv6 gateway (RFC 8950).
	if r.Via.IsValid() && t.ok("via") && r.Via.Is4() && !v4 {
		t.failf("via", "%v must be an IPv6 address, as the destination %v is", r.Via, r.To)
	}
	for _, h := range r.Hops {
		if h.Via.IsValid() && t.ok("nexthops") && h.Via.Is4() && !v4 {
			t.failf("nexthops", "%v must be an IPv6 address, as the destination %v is", h.Via, r.To)
		}
	}
	if v4 {
		t.forbid("with an IPv4 route", "preference")
		return
	}
	t.forbid("with an IPv6 route", "scope", "tos", "realm")
	if r.Type == "broadcast" {
		t.failf("type", "must not be broadcast, which IPv6 does not have")
	}
}

// A routeKey identifies a route in the kernel: there is one route for each.
type routeKey struct {
	to     netip.Prefix
	table  uint32
	vrf    string
	metric uint32
	tos    uint8
}

func (r *Route) key() routeKey {
	k := routeKey{r.To, r.Table, r.VRF, r.Metric, r.TOS}
	if r.To.Addr().Is6() && k.metric == 0 {
		k.metric = 1024 // the default of the kernel
	}
	return k
}

var trafficClass = simple(func(v value) (uint8, error) {
	n, ok := v.data.(int64)
	if !ok || n < 4 || n > 0xfc || n&3 != 0 {
		return 0, fmt.Errorf("must be a multiple of 4 from 4 to 0xfc, not %v: routing ignores the two low bits", unnamed(v))
	}
	return uint8(n), nil
}, func(n uint8) any { return int64(n) })

// realm is a number, or two as "from/to".
var realm = simple(func(v value) (Realm, error) {
	to, both := v.data.(int64)
	from := int64(0)
	if s, isText := v.data.(string); isText {
		a, b, _ := strings.Cut(s, "/")
		one, err1 := strconv.ParseUint(a, 10, 16)
		two, err2 := strconv.ParseUint(b, 10, 16)
		from, to, both = int64(one), int64(two), err1 == nil && err2 == nil
	}
	if !both || from < 0 || from > 0xffff || to < 1 || to > 0xffff {
		return Realm{}, fmt.Errorf(`must be a number from 1 to 65535, or two like "3/7", not %v`, unnamed(v))
	}
	return Realm{uint16(from), uint16(to)}, nil
}, func(r Realm) any {
	if r.From == 0 {
		return int64(r.To)
	}
	return fmt.Sprintf("%d/%d", r.From, r.To)
})

// hop is a table like { via = "10.0.0.1", device = "eth1", weight = 2 }.
var hop = codec[Hop]{
	decode: func(v value, fail func(value, string)) (Hop, bool) {
		h := Hop{Weight: 1, OnLink: true}
		keys, isTable := v.data.(map[string]value)
		if !isTable {
			fail(v, fmt.Sprintf(`must be a table like { via = "10.0.0.1", device = "eth1", weight = 2 }, not %v`, v))
			return h, false
		}
		good := decodeKeys(v, keys, fail, "", map[string]func(value, func(value, string)) bool{
			"via":    into(&h.Via, neighbourAddress),
			"device": into(&h.Device, routeDevice),
			"weight": into(&h.Weight, integer[int](1, 256)),
			"onlink": into(&h.OnLink, boolean),
			"encap":  into(&h.Encap, encap),
		})
		if h.Device == AutoDevice && !h.Via.IsValid() {
			fail(v, `with device = "auto" needs via: the kernel takes the device that reaches the gateway`)
			good = false
		}
		if !h.Via.IsValid() || h.Device == AutoDevice {
			h.OnLink = false
		}
		return h, good
	},
	encode: func(h Hop) any {
		shown := InlineTable{{"device", routeDevice.encode(h.Device)}, {"weight", int64(h.Weight)}}
		if h.Via.IsValid() {
			shown = append(shown, Pair{"via", h.Via.String()}, Pair{"onlink", h.OnLink})
		}
		if e := encap.encode(h.Encap); e != nil {
			shown = append(shown, Pair{"encap", e})
		}
		return shown
	},
}

// briefHop encodes a next hop without the keys that have their defaults.
func briefHop(h Hop) any {
	var shown InlineTable
	put := func(given bool, key string, value any) {
		if given {
			shown = append(shown, Pair{key, value})
		}
	}
	put(h.Via.IsValid(), "via", h.Via.String())
	put(h.Device != "", "device", h.Device)
	put(h.Weight != 1, "weight", int64(h.Weight))
	put(h.Via.IsValid() && !h.OnLink && h.Device != AutoDevice, "onlink", false)
	put(h.Encap.Type != "", "encap", encap.encode(h.Encap))
	return shown
}

// routeOptionKeys are the keys of RouteOptions.
var routeOptionKeys = []string{
	"mtu", "advmss", "window", "ssthresh", "cwnd", "initcwnd", "initrwnd", "reordering", "hoplimit",
	"rtt", "rttvar", "rto_min", "quickack", "fastopen_no_cookie", "features", "congctl", "lock",
}

func (o *RouteOptions) visit(t *table) {
	number := func(key string, p *uint32, high int64) {
		field(t, key, p, optional(integer[uint32](1, high)), 0)
	}
	number("mtu", &o.MTU, 65520)
	number("advmss", &o.AdvMSS, 65495)
	number("window", &o.Window, 1<<32-1)
	number("ssthresh", &o.SSThresh, 1<<32-1)
	number("cwnd", &o.Cwnd, 1<<32-1)
	number("initcwnd", &o.InitCwnd, 1<<32-1)
	number("initrwnd", &o.InitRwnd, 1<<32-1)
	number("reordering", &o.Reordering, 1<<32-1)
	number("hoplimit", &o.HopLimit, 255)
	for _, k := range []struct {
		key string
		p   *time.Duration
	}{{"rtt", &o.RTT}, {"rttvar", &o.RTTVar}, {"rto_min", &o.RTOMin}} {
		field(t, k.key, k.p, optional(wholeMilliseconds), 0)
	}
	field(t, "quickack", &o.QuickAck, optional(boolean), false)
	field(t, "fastopen_no_cookie", &o.FastOpenNoCookie, optional(boolean), false)
	features := []string(nil)
	if o.ECN {
		features = []string{"ecn"}
	}
	field(t, "features", &features, listOf(word("ecn")), nil)
	o.ECN = len(features) > 0
	field(t, "congctl", &o.Congestion, optional(congestion), "")
	field(t, "lock", &o.Lock, listOf(lockable), nil)
}

var wholeMilliseconds = codec[time.Duration]{decode: func(v value, fail func(value, string)) (time.Duration, bool) {
	d, ok := duration(time.Millisecond, time.Minute).decode(v, fail)
	if ok && d%time.Millisecond != 0 {
		fail(v, "must be whole milliseconds, not "+formatDuration(d))
		return 0, false
	}
	return d, ok
}, encode: func(d time.Duration) any { return formatDuration(d) }}

// congestion is the name of a congestion control algorithm (TCP_CA_NAME_MAX).
var congestion = textual("the name of an algorithm", func(s string) (string, error) {
	if s == "" || len(s) > 15 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s is not the name of a congestion control algorithm", quoteShort(s))
	}
	return s, nil
}, func(s string) string { return s })
