package netdev

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// policyProtocol marks our routes and rules, as AddressProtocol does addresses.
const policyProtocol = AddressProtocol

// A PolicyRoute is a route that is there while a device is claimed.
type PolicyRoute struct {
	To     netip.Prefix
	Via    netip.Addr // the zero Addr: on the link
	Device string     // "": the device itself
	Table  uint32
	Source netip.Addr // preferred; the zero Addr: the kernel's choice
	Metric uint32     // 0: the kernel's
}

// String returns "route 0.0.0.0/0 via 10.0.0.1 table 7".
func (r PolicyRoute) String() string {
	s := "route " + r.To.String()
	if r.Via.IsValid() {
		s += " via " + r.Via.String()
	}
	if r.Device != "" {
		s += " dev " + r.Device
	}
	return s + fmt.Sprintf(" table %d", r.Table)
}

// A PolicyRule is a routing rule that is there while a device is claimed.
type PolicyRule struct {
	From, To  netip.Prefix // of one family at least one; the zero Prefix: any
	IPv6      bool         // the family
	Interface string       // by which packets come in; "": any
	Mark      uint32       // 0: any
	Table     uint32
	Priority  uint32
}

// String returns "rule 1000 from 10.0.0.100/32 table 7".
func (r PolicyRule) String() string {
	s := fmt.Sprintf("rule %d", r.Priority)
	if r.From.IsValid() {
		s += " from " + r.From.String()
	}
	if r.To.IsValid() {
		s += " to " + r.To.String()
	}
	return s + fmt.Sprintf(" table %d", r.Table)
}

func family(v6 bool) int {
	if v6 {
		return netlink.FAMILY_V6
	}
	return netlink.FAMILY_V4
}

// routeRequest adds or deletes a route. With a gateway it is "onlink": the
// device may have no connected route, when the subnet is the parent's.
func routeRequest(kind, flags int, r *PolicyRoute, index int) *nl.NetlinkRequest {
	q := nl.NewNetlinkRequest(kind, flags)
	m := &nl.RtMsg{RtMsg: unix.RtMsg{
		Family: uint8(family(r.To.Addr().Is6())), Dst_len: uint8(r.To.Bits()), Table: unix.RT_TABLE_UNSPEC,
		Protocol: policyProtocol, Scope: unix.RT_SCOPE_UNIVERSE, Type: unix.RTN_UNICAST,
	}}
	if r.Via.IsValid() {
		m.Flags = unix.RTNH_F_ONLINK
	} else if r.To.Addr().Is4() {
		m.Scope = unix.RT_SCOPE_LINK
	}
	q.AddData(m)
	q.AddData(nl.NewRtAttr(unix.RTA_DST, r.To.Addr().AsSlice()))
	q.AddData(nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(r.Table)))
	q.AddData(nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(uint32(index))))
	if r.Via.IsValid() {
		q.AddData(nl.NewRtAttr(unix.RTA_GATEWAY, r.Via.AsSlice()))
	}
	if r.Source.IsValid() {
		q.AddData(nl.NewRtAttr(unix.RTA_PREFSRC, r.Source.AsSlice()))
	}
	if r.Metric != 0 {
		q.AddData(nl.NewRtAttr(unix.RTA_PRIORITY, nl.Uint32Attr(r.Metric)))
	}
	return q
}

// Attributes of rules (include/uapi/linux/fib_rules.h).
const (
	fraDst      = 1
	fraSrc      = 2
	fraIifname  = 3
	fraPriority = 6
	fraFwmark   = 10
	fraTable    = 15
	fraProtocol = 21
	frActToTbl  = 1
)

// A ruleHeader is struct fib_rule_hdr of a rule that leads to a table.
type ruleHeader struct{ family, dst, src uint8 }

func (h ruleHeader) Len() int { return 12 }

func (h ruleHeader) Serialize() []byte {
	return []byte{h.family, h.dst, h.src, 0, unix.RT_TABLE_UNSPEC, 0, 0, frActToTbl, 0, 0, 0, 0}
}

func ruleRequest(kind, flags int, r *PolicyRule) *nl.NetlinkRequest {
	q := nl.NewNetlinkRequest(kind, flags)
	h := ruleHeader{family: uint8(family(r.IPv6))}
	var attributes []*nl.RtAttr
	if r.From.Bits() > 0 {
		h.src = uint8(r.From.Bits())
		attributes = append(attributes, nl.NewRtAttr(fraSrc, r.From.Addr().AsSlice()))
	}
	if r.To.Bits() > 0 {
		h.dst = uint8(r.To.Bits())
		attributes = append(attributes, nl.NewRtAttr(fraDst, r.To.Addr().AsSlice()))
	}
	if r.Interface != "" {
		attributes = append(attributes, nl.NewRtAttr(fraIifname, nl.ZeroTerminated(r.Interface)))
	}
	if r.Mark != 0 {
		attributes = append(attributes, nl.NewRtAttr(fraFwmark, nl.Uint32Attr(r.Mark)))
	}
	q.AddData(h)
	for _, a := range attributes {
		q.AddData(a)
	}
	q.AddData(nl.NewRtAttr(fraPriority, nl.Uint32Attr(r.Priority)))
	q.AddData(nl.NewRtAttr(fraTable, nl.Uint32Attr(r.Table)))
	q.AddData(nl.NewRtAttr(fraProtocol, []byte{policyProtocol}))
	return q
}

// A policyOp adds or deletes one route or rule.
type policyOp struct {
	request *nl.NetlinkRequest
	text    string
}

// policyOps returns what puts the routes and rules of a spec there, or takes
// them away. Routes come before the rules that lead to them, and go after.
// A route by a device that does not exist is passed over: it is put there when
// the device comes.
func policyOps(s *Spec, index int, add bool, indexOf func(string) int) []policyOp {
	kind, flags, verb := unix.RTM_DELROUTE, 0, "remove "
	if add {
		kind, flags, verb = unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, "add "
	}
	var ops []policyOp
	for i := range s.Routes {
		r, at := &s.Routes[i], index
		if r.Device != "" {
			at = indexOf(r.Device)
		}
		if at != 0 {
			ops = append(ops, policyOp{routeRequest(kind, flags, r, at), verb + r.String()})
		}
	}
	kind += unix.RTM_NEWRULE - unix.RTM_NEWROUTE
	for i := range s.Rules {
		ops = append(ops, policyOp{ruleRequest(kind, flags, &s.Rules[i]), verb + s.Rules[i].String()})
	}
	if !add {
		slices.Reverse(ops)
	}
	return ops
}

// policy brings the routes and rules of devices to their states: there while
// claimed, away while bare. What is there already, whoever put it there, is
// left, and only what carries our mark is taken away.
func (h *Host) policy(devices []*device) ([]Repair, error) {
	var repairs []Repair
	var errs []error
	for _, d := range devices {
		if d.state == Quiet || len(d.spec.Routes)+len(d.spec.Rules) == 0 {
			continue
		}
		done, err := h.doPolicy(&d.spec, d.index, d.state == Claimed)
		for _, text := range done {
			repairs = append(repairs, Repair{d.spec.Name, text})
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("device %s: %w", d.spec.Name, err))
		}
	}
	return repairs, errors.Join(errs...)
}

func (h *Host) claimPolicy(names []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range names {
		// One that is released meanwhile has lost them by that.
		if d := h.devices[name]; d != nil && d.state == Claimed {
			_, _ = h.policy([]*device{d})
		}
	}
}

// doPolicy adds or removes all routes and rules of a spec, and says which of
// them were missing, or there.
func (h *Host) doPolicy(s *Spec, index int, add bool) (done []string, err error) {
	if add && index == 0 {
		return nil, nil // the device is not there; it is told of elsewhere
	}
	ops := policyOps(s, index, add, interfaceIndex)
	requests := make([]*nl.NetlinkRequest, len(ops))
	for i := range ops {
		requests[i] = ops[i].request
	}
	results := h.conn.do(requests)
	var errs []error
	for i := range ops {
		switch {
		case results == nil || results[i] == nil:
			done = append(done, ops[i].text)
		case add && errors.Is(results[i], unix.EEXIST):
		case !add && (gone(results[i]) || errors.Is(results[i], unix.ESRCH) || errors.Is(results[i], unix.ENOENT)):
		default:
			errs = append(errs, fmt.Errorf("%s: %w", ops[i].text, results[i]))
		}
	}
	return done, errors.Join(errs...)
}

func interfaceIndex(name string) int {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return 0
	}
	return l.Attrs().Index
}

// dropPolicy takes away what a new spec of a device has no more.
func (h *Host) dropPolicy(old, new *Spec, index int) {
	left := Spec{
		Routes: slices.DeleteFunc(slices.Clone(old.Routes), func(r PolicyRoute) bool { return slices.Contains(new.Routes, r) }),
		Rules:  slices.DeleteFunc(slices.Clone(old.Rules), func(r PolicyRule) bool { return slices.Contains(new.Rules, r) }),
	}
	_, _ = h.doPolicy(&left, index, false) // what stays is found at the next start
}

// sweepPolicy removes routes and rules with our mark that no claimed device
// wants.
func (h *Host) sweepPolicy() ([]Repair, error) {
	var repairs []Repair
	var errs []error
	for _, fam := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		filter := &netlink.Route{Protocol: policyProtocol, Table: unix.RT_TABLE_UNSPEC}
		routes, err := netlink.RouteListFiltered(fam, filter, netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TABLE)
		errs = append(errs, err)
		for i := range routes {
			r := &routes[i]
			to := destination(r.Dst, fam == netlink.FAMILY_V6)
			if !h.wantsRoute(to, uint32(r.Table)) {
				errs = append(errs, netlink.RouteDel(r))
				repairs = append(repairs, Repair{Text: fmt.Sprintf("remove route %v table %d, which a former run left", to, r.Table)})
			}
		}
		rules, err := netlink.RuleList(fam)
		errs = append(errs, err)
		for i := range rules {
			r := &rules[i]
			if r.Protocol == policyProtocol && !h.wantsRule(uint32(r.Priority), uint32(r.Table)) {
				errs = append(errs, netlink.RuleDel(r))
				repairs = append(repairs, Repair{Text: fmt.Sprintf("remove rule %d table %d, which a former run left", r.Priority, r.Table)})
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return repairs, fmt.Errorf("sweep routes and rules: %w", err)
	}
	return repairs, nil
}

func (h *Host) wantsRoute(to netip.Prefix, table uint32) bool {
	return h.anyHeld(func(s *Spec) bool {
		return slices.ContainsFunc(s.Routes, func(r PolicyRoute) bool { return r.To == to && r.Table == table })
	})
}

func (h *Host) wantsRule(priority, table uint32) bool {
	return h.anyHeld(func(s *Spec) bool {
		return slices.ContainsFunc(s.Rules, func(r PolicyRule) bool { return r.Priority == priority && r.Table == table })
	})
}

// anyHeld reports whether a device that is not bare has something.
func (h *Host) anyHeld(has func(*Spec) bool) bool {
	for _, d := range h.devices {
		if d.state != Bare && has(&d.spec) {
			return true
		}
	}
	return false
}
