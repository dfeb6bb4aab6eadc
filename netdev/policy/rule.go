package policy

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A Rule is a routing rule that is in the kernel while a device is claimed. A zero
// selector fits any packet.
type Rule struct {
	From, To  netip.Prefix
	IPv6      bool // the family
	Not       bool // the rule fits the packets that the selectors do not fit
	Interface string
	Output    string // the interface that a socket is bound to
	Mark      uint32
	MarkMask  uint32 // 0: all bits, if there is a Mark
	TOS       uint8
	UIDs      Range // of the socket's owner
	Protocol  uint8 // IP protocol number
	// SourcePorts and DestinationPorts are ranges; 0 is no port.
	SourcePorts, DestinationPorts Range
	TunnelID                      uint64
	L3MDev                        bool // use the table of the packet's VRF

	Action string // an element of RuleActions; "": lookup
	Table  uint32 // of lookup
	Goto   uint32 // of goto: a priority
	Realm  Realm
	// SuppressLength, less one, is the longest prefix, and SuppressGroup, less one,
	// the interface group, whose routes the lookup ignores. 0: none.
	SuppressLength, SuppressGroup uint32

	Priority uint32
}

// A Range is from First to Last, inclusive. Given distinguishes 0-0 from no range.
type Range struct {
	First, Last uint32
	Given       bool
}

// String returns "5" or "5-9".
func (r Range) String() string {
	if r.First == r.Last {
		return fmt.Sprint(r.First)
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// RuleActions are the actions of rules, as `ip rule` calls them.
var RuleActions = []string{"lookup", "goto", "nop", "blackhole", "unreachable", "prohibit"}

// ruleActions are their numbers (include/uapi/linux/fib_rules.h FR_ACT_*).
var ruleActions = [...]uint8{1, 2, 3, 6, 7, 8}

// String returns the rule as `ip rule` writes it:
// "rule 1000 from 10.0.0.100/32 table 7".
func (r Rule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "rule %d", r.Priority)
	say := func(given bool, format string, args ...any) {
		if given {
			fmt.Fprintf(&b, " "+format, args...)
		}
	}
	say(r.Not, "not")
	say(r.From.IsValid(), "from %v", r.From)
	say(r.To.IsValid(), "to %v", r.To)
	say(r.TOS != 0, "tos %#x", r.TOS)
	say(r.Mark|r.MarkMask != 0, "mark %#x", r.Mark)
	say(r.MarkMask != 0 && r.MarkMask != ^uint32(0), "mask %#x", r.MarkMask)
	say(r.Interface != "", "iif %s", r.Interface)
	say(r.Output != "", "oif %s", r.Output)
	say(r.UIDs.Given, "uids %v", r.UIDs)
	say(r.Protocol != 0, "protocol %d", r.Protocol)
	say(r.SourcePorts.Given, "sport %v", r.SourcePorts)
	say(r.DestinationPorts.Given, "dport %v", r.DestinationPorts)
	say(r.TunnelID != 0, "tunnel %d", r.TunnelID)
	switch action := cmp.Or(r.Action, RuleActions[0]); {
	case r.L3MDev:
		say(true, "l3mdev")
	case action == "lookup":
		say(true, "table %d", r.Table)
	case action == "goto":
		say(true, "goto %d", r.Goto)
	default:
		say(true, "%s", action)
	}
	return b.String()
}

// normal returns the rule as the kernel shows it.
func (r Rule) normal() Rule {
	for _, p := range []*netip.Prefix{&r.From, &r.To} {
		if p.Bits() <= 0 {
			*p = netip.Prefix{}
		}
	}
	if r.Mark != 0 && r.MarkMask == 0 {
		r.MarkMask = ^uint32(0)
	}
	r.Action = cmp.Or(r.Action, RuleActions[0])
	return r
}

// Attributes of rules (include/uapi/linux/fib_rules.h).
const (
	fraDst            = 1
	fraSrc            = 2
	fraIifname        = 3
	fraGoto           = 4
	fraPriority       = 6
	fraFwmark         = 10
	fraFlow           = 11
	fraTunID          = 12
	fraSuppressGroup  = 13
	fraSuppressLength = 14
	fraTable          = 15
	fraFwmask         = 16
	fraOifname        = 17
	fraL3MDev         = 19
	fraUIDRange       = 20
	fraProtocol       = 21
	fraIPProto        = 22
	fraSport          = 23
	fraDport          = 24
	fibRuleInvert     = 2
)

// ruleRequest adds or deletes a rule.
func ruleRequest(kind, flags int, r *Rule) *nl.NetlinkRequest {
	q := nl.NewNetlinkRequest(kind, flags)
	n := r.normal()
	// struct fib_rule_hdr has the layout of struct rtmsg.
	m := &nl.RtMsg{RtMsg: unix.RtMsg{
		Family: uint8(family(n.IPv6)), Tos: n.TOS, Table: unix.RT_TABLE_UNSPEC,
		Type: ruleActions[number(RuleActions, n.Action, 0)],
	}}
	if n.Not {
		m.Flags = fibRuleInvert
	}
	q.AddData(m)
	put := func(given bool, kind int, value []byte) {
		if given {
			q.AddData(nl.NewRtAttr(kind, value))
		}
	}
	if n.From.IsValid() {
		m.Src_len = uint8(n.From.Bits())
		put(true, fraSrc, n.From.Addr().AsSlice())
	}
	if n.To.IsValid() {
		m.Dst_len = uint8(n.To.Bits())
		put(true, fraDst, n.To.Addr().AsSlice())
	}
	put(n.Interface != "", fraIifname, nl.ZeroTerminated(n.Interface))
	put(n.Output != "", fraOifname, nl.ZeroTerminated(n.Output))
	put(n.Mark|n.MarkMask != 0, fraFwmark, nl.Uint32Attr(n.Mark))
	put(n.MarkMask != 0, fraFwmask, nl.Uint32Attr(n.MarkMask))
	put(n.UIDs.Given, fraUIDRange, append(nl.Uint32Attr(n.UIDs.First), nl.Uint32Attr(n.UIDs.Last)...))
	put(n.Protocol != 0, fraIPProto, []byte{n.Protocol})
	put(n.SourcePorts.Given, fraSport, n.SourcePorts.ports())
	put(n.DestinationPorts.Given, fraDport, n.DestinationPorts.ports())
	put(n.TunnelID != 0, fraTunID, binary.BigEndian.AppendUint64(nil, n.TunnelID))
	put(n.L3MDev, fraL3MDev, []byte{1})
	put(true, fraPriority, nl.Uint32Attr(n.Priority))
	put(n.Table != 0, fraTable, nl.Uint32Attr(n.Table))
	put(n.Goto != 0, fraGoto, nl.Uint32Attr(n.Goto))
	put(n.Realm != (Realm{}), fraFlow, n.Realm.attribute())
	put(n.SuppressLength != 0, fraSuppressLength, nl.Uint32Attr(n.SuppressLength-1))
	put(n.SuppressGroup != 0, fraSuppressGroup, nl.Uint32Attr(n.SuppressGroup-1))
	put(true, fraProtocol, []byte{Protocol})
	return q
}

// ports is struct fib_rule_port_range.
func (r Range) ports() []byte {
	return append(nl.Uint16Attr(uint16(r.First)), nl.Uint16Attr(uint16(r.Last))...)
}

// parseRule reads the body of an RTM_NEWRULE or RTM_DELRULE message. It returns the rule
// as normal returns it, and the protocol number of whoever added it.
func parseRule(b []byte) (r Rule, protocol uint8, err error) {
	if len(b) < unix.SizeofRtMsg {
		return r, 0, fmt.Errorf("parse rule message: %d bytes are too short", len(b))
	}
	m := nl.DeserializeRtMsg(b)
	attributes, err := nl.ParseRouteAttr(b[unix.SizeofRtMsg:])
	if err != nil {
		return r, 0, fmt.Errorf("parse rule message: %w", err)
	}
	r.IPv6, r.TOS, r.Not = m.Family == unix.AF_INET6, m.Tos, m.Flags&fibRuleInvert != 0
	r.Table = uint32(m.Table)
	if i := slices.Index(ruleActions[:], m.Type); i >= 0 {
		r.Action = RuleActions[i]
	} else {
		r.Action = fmt.Sprintf("action %d", m.Type)
	}
	for _, a := range attributes {
		if kind := a.Attr.Type & nl.NLA_TYPE_MASK; kind == fraProtocol && len(a.Value) == 1 {
			protocol = a.Value[0]
		} else {
			r.parse(kind, a.Value, &m.RtMsg)
		}
	}
	return r, protocol, nil
}

// parse reads one attribute. It ignores one that is too short.
func (r *Rule) parse(kind uint16, v []byte, m *unix.RtMsg) {
	word := func() uint32 {
		if len(v) < 4 {
			return 0
		}
		return binary.NativeEndian.Uint32(v)
	}
	prefix := func(bits uint8) netip.Prefix {
		a, _ := netip.AddrFromSlice(v)
		return netip.PrefixFrom(a, int(bits))
	}
	ports := func() Range {
		if len(v) < 4 {
			return Range{}
		}
		return Range{uint32(binary.NativeEndian.Uint16(v)), uint32(binary.NativeEndian.Uint16(v[2:])), true}
	}
	switch kind {
	case fraSrc:
		r.From = prefix(m.Src_len)
	case fraDst:
		r.To = prefix(m.Dst_len)
	case fraIifname:
		r.Interface = nl.BytesToString(v)
	case fraOifname:
		r.Output = nl.BytesToString(v)
	case fraFwmark:
		r.Mark = word()
	case fraFwmask:
		r.MarkMask = word()
	case fraUIDRange:
		if len(v) >= 8 {
			r.UIDs = Range{word(), binary.NativeEndian.Uint32(v[4:]), true}
		}
	case fraIPProto:
		if len(v) >= 1 {
			r.Protocol = v[0]
		}
	case fraSport:
		r.SourcePorts = ports()
	case fraDport:
		r.DestinationPorts = ports()
	case fraTunID:
		if len(v) >= 8 {
			r.TunnelID = binary.BigEndian.Uint64(v)
		}
	case fraL3MDev:
		r.L3MDev = len(v) >= 1 && v[0] != 0
	case fraPriority:
		r.Priority = word()
	case fraTable:
		r.Table = word()
	case fraGoto:
		r.Goto = word()
	case fraFlow:
		r.Realm = Realm{uint16(word() >> 16), uint16(word())}
	case fraSuppressLength:
		r.SuppressLength = word() + 1 // ^0 is none
	case fraSuppressGroup:
		r.SuppressGroup = word() + 1
	}
}
