package netdev

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Egress: what a virtual address sends leaves by its macvlan, so that frames
// and ARP requests carry the virtual MAC. Without it the routes lead through
// the parent, which has the director's own address.
//
// A rule for each virtual address leads to a table of the device, which says
// again what the main table (or that of the parent's VRF) says of the parent,
// but by the macvlan. Where the main table has something else for a prefix that
// lies in one of those, the table says "throw", and the lookup goes on. The
// rules come last before the one that leads to the table they refine: everybody
// else's rules are asked first.
const (
	// egressTables is the first of the tables of egress. The device's index is
	// added: tables of no two devices are the same, and of no other program
	// that numbers its tables from below.
	egressTables  = 0x48000000
	egressIndexes = 0x00ffffff
	// egressPriority comes before the kernel's rule for the main table,
	// egressPriorityVRF before the one for the tables of VRFs
	// (drivers/net/vrf.c FIB_RULE_PREF).
	egressPriority    = 32765
	egressPriorityVRF = 999
)

// forEgress reports whether a table is one of egress.
func forEgress(table uint32) bool { return table&^egressIndexes == egressTables }

// egresses reports whether a device has its table and rules now. While it is
// quiet it has not: what is sent then must leave with the parent's MAC, as the
// virtual one may be another director's already.
func (d *device) egresses() bool {
	return d.spec.Egress && d.state == Claimed && d.index != 0 && d.parent != 0
}

func (d *device) egressTable() uint32 { return egressTables | uint32(d.index)&egressIndexes }

// egressRules are the rules of a device. Link-local addresses need none: who
// uses them names the device.
func (d *device) egressRules() []PolicyRule {
	var rules []PolicyRule
	for _, a := range d.spec.Addresses {
		ip := a.Prefix.Addr()
		if ip.IsLinkLocalUnicast() {
			continue
		}
		r := PolicyRule{
			From: netip.PrefixFrom(ip, ip.BitLen()), IPv6: ip.Is6(), Table: d.egressTable(), Priority: egressPriority,
		}
		if d.vrf != 0 {
			r.Priority = egressPriorityVRF
		}
		rules = append(rules, r.normal())
	}
	return rules
}

// routesFrom is the table that a device's own refines.
func (d *device) routesFrom() uint32 {
	if d.vrf != 0 {
		return d.vrf
	}
	return unix.RT_TABLE_MAIN
}

// endEgress takes the rules of devices away in one system call, without
// looking. Their tables then mean nothing; they go with the device.
func (h *Host) endEgress(devices []*device) {
	var requests []*nl.NetlinkRequest
	for _, d := range devices {
		if !d.spec.Egress || d.index == 0 {
			continue
		}
		for _, r := range d.egressRules() {
			requests = append(requests, ruleRequest(unix.RTM_DELRULE, 0, &r))
		}
	}
	if len(requests) > 0 {
		h.conn.do(requests) // what stays is found when devices are reconciled
	}
}

func (h *Host) claimEgress() {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, _ = h.mendEgress() // Reconcile tries again, and says why
}

// mendEgress brings the tables and rules of all devices to what they should
// be.
func (h *Host) mendEgress() ([]Repair, error) {
	using := false
	for _, d := range h.devices {
		using = using || d.spec.Egress
	}
	if !using && !h.egress {
		return nil, nil
	}
	h.egress = true
	c, err := dialStrict()
	if err != nil {
		return nil, fmt.Errorf("egress: %w", err)
	}
	defer c.close()
	want, errWant := h.wantEgress(c)
	have, err := haveEgress(c)
	if err != nil {
		return nil, fmt.Errorf("egress: %w", errors.Join(errWant, err))
	}
	repairs, err := h.changeEgress(&want, &have)
	h.egress = using || err != nil
	if err = errors.Join(errWant, err); err != nil {
		return repairs, fmt.Errorf("egress: %w", err)
	}
	return repairs, nil
}

// An egress is the tables and rules of egress, of all devices.
type egress struct {
	routes []fibRoute
	rules  []PolicyRule
}

func (h *Host) wantEgress(c *conn) (egress, error) {
	var want egress
	var errs []error
	tables := map[uint32][]fibRoute{}
	for _, d := range h.devices {
		if !d.egresses() {
			continue
		}
		from := d.routesFrom()
		if _, known := tables[from]; !known {
			all, err := dumpRoutes(c, routeFilter{table: from})
			errs = append(errs, err)
			tables[from] = all
		}
		want.routes = append(want.routes, egressRoutes(tables[from], d)...)
		want.rules = append(want.rules, d.egressRules()...)
	}
	return want, errors.Join(errs...)
}

func haveEgress(c *conn) (egress, error) {
	var have egress
	all, err := dumpRoutes(c, routeFilter{protocol: policyProtocol})
	if err != nil {
		return have, err
	}
	for _, r := range all {
		if forEgress(r.table) {
			have.routes = append(have.routes, r)
		}
	}
	for _, v6 := range []bool{false, true} {
		rules, err := seeRules(c, v6)
		if err != nil {
			return have, err
		}
		for _, r := range rules {
			if r.protocol == policyProtocol && forEgress(r.rule.Table) {
				have.rules = append(have.rules, r.rule)
			}
		}
	}
	return have, nil
}

// changeEgress makes have as want: first away with rules, and then routes, that
// are not wanted; then routes, those on the link before those through a gateway
// on it, and the rules that lead to them.
func (h *Host) changeEgress(want, have *egress) ([]Repair, error) {
	idle := map[uint32]bool{} // tables that no rule leads to for a while
	names := map[uint32]string{}
	for _, d := range h.devices {
		if d.index != 0 {
			names[d.egressTable()] = d.spec.Name
			idle[d.egressTable()] = d.spec.Egress && !d.egresses()
		}
	}
	var ops []policyOp
	var of []uint32
	add := func(table uint32, q *nl.NetlinkRequest, text string) {
		ops, of = append(ops, policyOp{q, text}), append(of, table)
	}
	const fresh = unix.NLM_F_CREATE | unix.NLM_F_EXCL
	for _, r := range have.rules {
		if !slices.Contains(want.rules, r) {
			add(r.Table, ruleRequest(unix.RTM_DELRULE, 0, &r), "remove "+r.String())
		}
	}
	wanted, there := keysOf(want.routes), keysOf(have.routes)
	for i := range have.routes {
		if r := &have.routes[i]; !wanted[r.whole()] && !idle[r.table] {
			add(r.table, r.request(unix.RTM_DELROUTE, 0), "remove "+r.String())
		}
	}
	slices.SortStableFunc(want.routes, func(a, b fibRoute) int { return cmp.Compare(a.order(), b.order()) })
	for i := range want.routes {
		if r := &want.routes[i]; !there[r.whole()] {
			add(r.table, r.request(unix.RTM_NEWROUTE, fresh), "add "+r.String())
		}
	}
	for _, r := range want.rules {
		if !slices.Contains(have.rules, r) {
			add(r.Table, ruleRequest(unix.RTM_NEWRULE, fresh, &r), "add "+r.String())
		}
	}
	return h.doEgress(ops, of, names)
}

func keysOf(routes []fibRoute) map[string]bool {
	keys := make(map[string]bool, len(routes))
	for i := range routes {
		keys[routes[i].whole()] = true
	}
	return keys
}

// A policyOp adds or deletes one route or rule.
type policyOp struct {
	request *nl.NetlinkRequest
	text    string
}

func (h *Host) doEgress(ops []policyOp, of []uint32, names map[uint32]string) ([]Repair, error) {
	requests := make([]*nl.NetlinkRequest, len(ops))
	for i := range ops {
		requests[i] = ops[i].request
	}
	if len(ops) == 0 {
		return nil, nil
	}
	results := h.conn.do(requests)
	var repairs []Repair
	var errs []error
	for i := range ops {
		switch {
		case results == nil || results[i] == nil:
			repairs = append(repairs, Repair{names[of[i]], ops[i].text})
		case errors.Is(results[i], unix.EEXIST), errors.Is(results[i], unix.ESRCH), errors.Is(results[i], unix.ENOENT):
		default:
			errs = append(errs, fmt.Errorf("%s: %w", ops[i].text, results[i]))
		}
	}
	return repairs, errors.Join(errs...)
}
