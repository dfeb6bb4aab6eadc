package conf

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"holdfast/vrrp"
)

// A Rule is a routing rule that exists while an instance has its addresses. A
// selector that is zero matches every packet.
type Rule struct {
	Priority  uint32
	Family    vrrp.Family
	From, To  netip.Prefix
	Invert    bool   // match the packets that the selectors do not match
	Interface string // of incoming packets; VMAC: the device of the virtual addresses
	Output    string // that the socket of the sender is bound to
	Mark      Mark
	TOS       uint8
	UIDs      Range
	Protocol  uint8 // IP protocol number
	// A zero Range matches every port.
	SourcePorts, DestinationPorts Range
	TunnelID                      uint64
	L3MDev                        bool

	Action string // as `ip rule` calls it: lookup, goto, ...
	Table  uint32 // of lookup
	Goto   uint32 // of goto
	Realm  Realm
	// SuppressLength and SuppressGroup are one more than in the file; 0 is none.
	SuppressLength, SuppressGroup uint32
}

// A Mark is a firewall mark with a mask. The zero Mark matches every mark.
type Mark struct{ Value, Mask uint32 }

// A Range is from First to Last. Given is false for the range that is not given.
type Range struct {
	First, Last uint32
	Given       bool
}

// lastPriority is the last priority before the rule for the main table.
const lastPriority = 32765

// The default priority of a rule is firstPriority plus rulesEach times the VRID
// plus the position of the rule in its instance.
const (
	firstPriority = 10000
	rulesEach     = 64
)

var ruleFamily = choice(option[vrrp.Family]{"ipv4", vrrp.IPv4}, option[vrrp.Family]{"ipv6", vrrp.IPv6})

// anyPrefix is a prefix. "all" and "default" are the zero Prefix until check has
// determined the family.
var anyPrefix = textual(`a prefix, like "10.0.0.100/32", or "all",`, func(s string) (netip.Prefix, error) {
	if s == "all" || s == everywhere {
		return netip.Prefix{}, nil
	}
	if a, err := netip.ParseAddr(s); err == nil {
		s = netip.PrefixFrom(a.WithZone(""), a.BitLen()).String()
	}
	return routePrefix.decodeText(s)
}, netip.Prefix.String)

// ruleSelectors are the keys that select packets.
var ruleSelectors = []string{
	"from", "to", "interface", "output", "mark", "tos", "uid_range", "ip_protocol", "source_port", "destination_port",
	"tunnel_id", "l3mdev",
}

func (r *Rule) visit(t *table, own vrrp.Family) {
	field(t, "priority", &r.Priority, integer[uint32](1, lastPriority), 0)
	field(t, "action", &r.Action, word("lookup", "goto", "nop", "blackhole", "unreachable", "prohibit"), "lookup")
	if t.reading() || r.Table != 0 {
		field(t, "table", &r.Table, routeTable(t), 0)
	}
	field(t, "goto", &r.Goto, optional(integer[uint32](2, 32767)), 0)
	field(t, "from", &r.From, optional(anyPrefix), netip.Prefix{})
	field(t, "to", &r.To, optional(anyPrefix), netip.Prefix{})
	field(t, "invert", &r.Invert, boolean, false)
	field(t, "interface", &r.Interface, optional(interfaceName), "")
	field(t, "output", &r.Output, optional(interfaceName), "")
	field(t, "mark", &r.Mark, optional(mark), Mark{})
	field(t, "tos", &r.TOS, optional(trafficClass), 0)
	field(t, "uid_range", &r.UIDs, optional(numbers(1<<32-2)), Range{})
	field(t, "ip_protocol", &r.Protocol, optional(ipProtocol), 0)
	field(t, "source_port", &r.SourcePorts, optional(numbers(1<<16-1)), Range{})
	field(t, "destination_port", &r.DestinationPorts, optional(numbers(1<<16-1)), Range{})
	field(t, "tunnel_id", &r.TunnelID, optional(tunnelID), 0)
	field(t, "l3mdev", &r.L3MDev, optional(boolean), false)
	field(t, "realm", &r.Realm, optional(realm), Realm{})
	field(t, "suppress_prefix_length", &r.SuppressLength, optional(plusOne(128)), 0)
	field(t, "suppress_group", &r.SuppressGroup, optional(plusOne(1<<31-2)), 0)
	if t.reading() || !r.From.IsValid() && !r.To.IsValid() {
		field(t, "family", &r.Family, ruleFamily, own)
	}
	if t.reading() {
		r.check(t)
	}
}

// check determines the family and checks combinations of keys.
func (r *Rule) check(t *table) {
	for _, p := range []netip.Prefix{r.To, r.From} {
		if p.IsValid() {
			t.forbid("with an address, because that determines it", "family")
			r.Family = vrrp.FamilyOf(p.Addr())
		}
	}
	if r.From.IsValid() && r.To.IsValid() && r.From.Addr().Is4() != r.To.Addr().Is4() {
		t.failf("to", "%v and the source %v must have the same address family", r.To, r.From)
	}
	for key, p := range map[string]*netip.Prefix{"from": &r.From, "to": &r.To} {
		if t.has(key) && t.ok(key) && !p.IsValid() {
			*p = allOf(r.Family)
		}
	}
	r.checkAction(t)
	if r.Family == vrrp.IPv6 {
		t.forbid("with an IPv6 rule", "realm")
	}
	for _, key := range ruleSelectors {
		if t.has(key) {
			return
		}
	}
	t.failf("", `a rule needs a selector, for example from = "all"`)
}

func (r *Rule) checkAction(t *table) {
	if !t.ok("action") {
		return
	}
	if r.Action != "goto" {
		t.forbid(fmt.Sprintf("with action = %q", r.Action), "goto")
	}
	if r.Action != "lookup" {
		t.forbid(fmt.Sprintf("with action = %q", r.Action), "table", "suppress_prefix_length", "suppress_group", "realm", "l3mdev")
	}
	switch {
	case r.Action == "goto" && !t.has("goto"):
		t.failf("goto", "is required with action = %q", r.Action)
	case r.Action == "goto" && t.ok("goto", "priority") && r.Priority >= r.Goto:
		t.failf("goto", "%d must be greater than the priority of this rule, %d", r.Goto, r.Priority)
	case r.L3MDev:
		t.forbid("with l3mdev, because the VRF of the packet determines the table", "table")
	case r.Action == "lookup" && !t.has("table"):
		t.failf("table", "is required")
	}
}

// mark is a number, or a number and a mask: "7/0xff".
var mark = simple(func(v value) (Mark, error) {
	m, good := Mark{Mask: 1<<32 - 1}, false
	switch data := v.data.(type) {
	case int64:
		m.Value, good = uint32(data), data > 0 && data < 1<<32
	case string:
		a, b, masked := strings.Cut(data, "/")
		value, err := strconv.ParseUint(a, 0, 32)
		mask, maskErr := uint64(m.Mask), error(nil)
		if masked {
			mask, maskErr = strconv.ParseUint(b, 0, 32)
		}
		m, good = Mark{uint32(value), uint32(mask)}, err == nil && maskErr == nil && mask != 0
	}
	if !good {
		return Mark{}, fmt.Errorf(`must be a firewall mark, like 7 or "7/0xff", not %v`, unnamed(v))
	}
	if m.Value&^m.Mask != 0 {
		return Mark{}, fmt.Errorf("%v matches no packet: the mask %#x does not cover the value", v, m.Mask)
	}
	return m, nil
}, func(m Mark) any {
	if m.Mask == 1<<32-1 && m.Value != 0 {
		return int64(m.Value)
	}
	return fmt.Sprintf("%d/%#x", m.Value, m.Mask)
})

// numbers is one number up to high, or a range like "1000-2000".
func numbers(high int64) codec[Range] {
	return simple(func(v value) (Range, error) {
		first, good := v.data.(int64)
		last := first
		if s, isText := v.data.(string); isText {
			a, b, _ := strings.Cut(s, "-")
			one, err1 := strconv.ParseUint(a, 10, 32)
			two, err2 := strconv.ParseUint(b, 10, 32)
			first, last, good = int64(one), int64(two), err1 == nil && err2 == nil
		}
		if !good || first < 0 || last > high || first > last {
			return Range{}, fmt.Errorf(`must be a number from 0 to %d or a range like "5-7", not %v`, high, unnamed(v))
		}
		return Range{uint32(first), uint32(last), true}, nil
	}, func(r Range) any {
		if r.First == r.Last {
			return int64(r.First)
		}
		return fmt.Sprintf("%d-%d", r.First, r.Last)
	})
}

// plusOne is a number from 0 to high. Its decoded form is one more, so that 0 is
// none.
func plusOne(high int64) codec[uint32] {
	plain := integer[uint32](0, high)
	return codec[uint32]{
		decode: func(v value, fail func(value, string)) (uint32, bool) {
			n, ok := plain.decode(v, fail)
			return n + 1, ok
		},
		encode: func(n uint32) any { return plain.encode(n - 1) },
	}
}

// protocolNumbers are the names of IP protocols (IANA).
var protocolNumbers = map[string]uint8{
	"icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58, "ospf": 89, "sctp": 132,
}

// ipProtocol is a number from 1 to 255, or a name.
var ipProtocol = simple(func(v value) (uint8, error) {
	if name, isText := v.data.(string); isText {
		if n, known := protocolNumbers[name]; known {
			return n, nil
		}
	}
	n, ok := v.data.(int64)
	if !ok || n < 1 || n > 255 {
		return 0, fmt.Errorf(`must be an IP protocol, like "tcp" or 6, not %v`, unnamed(v))
	}
	return uint8(n), nil
}, func(n uint8) any {
	for name, number := range protocolNumbers {
		if number == n {
			return name
		}
	}
	return int64(n)
})
