package policy

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Egress makes packets from a virtual address leave by its macvlan, so that
// frames and ARP requests carry the virtual MAC. Without it the routes lead
// through the parent, and the packets carry the director's own MAC.
//
// A rule for each virtual address leads to a table of the device. The table
// repeats the routes that the main table (or that of the parent's VRF) has
// through the parent, but through the macvlan. Where the main table has another
// route for a prefix within one of those, the device's table says "throw", and
// the lookup goes on with the next rule. Our rules come last before the kernel's
// rule for the main table, so everybody else's rules are asked first.

const (
	// egressTables plus the device's index is the device's table. So no two
	// devices have one table, and no program that numbers its tables from 1
	// has ours.
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

// An EgressDevice is a device whose addresses may have egress.
type EgressDevice struct {
	Name      string
	Index     int    // 0: the device does not exist
	Parent    int    // index of its parent; 0: the parent does not exist
	VRF       uint32 // table of the VRF that the parent is in, or 0
	Addresses []netip.Prefix
	Egress    bool // the configuration asks for it
	// Claimed says that the device has the addresses and answers for them. A
	// muted device has no egress: its packets must leave with the parent's MAC,
	// because the virtual MAC may be another director's already.
	Claimed bool
}

// active reports whether the device has its table and rules now.
func (d *EgressDevice) active() bool { return d.Egress && d.Claimed && d.Index != 0 && d.Parent != 0 }

func (d *EgressDevice) table() uint32 { return egressTables | uint32(d.Index)&egressIndexes }

// rules returns the rules of a device. Link-local addresses need none: programs
// that use them name the device.
func (d *EgressDevice) rules() []Rule {
	var rules []Rule
	for _, a := range d.Addresses {
		ip := a.Addr()
		if ip.IsLinkLocalUnicast() {
			continue
		}
		r := Rule{
			From: netip.PrefixFrom(ip, ip.BitLen()), IPv6: ip.Is6(), Table: d.table(), Priority: egressPriority,
		}
		if d.VRF != 0 {
			r.Priority = egressPriorityVRF
		}
		rules = append(rules, r.normal())
	}
	return rules
}

// routesFrom returns the table whose routes the device's own table repeats.
func (d *EgressDevice) routesFrom() uint32 {
	if d.VRF != 0 {
		return d.VRF
	}
	return unix.RT_TABLE_MAIN
}

// An Egress keeps the tables and rules of egress of all devices. It is not safe
// for concurrent use.
type Egress struct {
	conn  *rtnl.Conn
	using bool // there are tables and rules, or there may be
}

// NewEgress returns an Egress that expects no tables and rules in the kernel.
func NewEgress(c *rtnl.Conn) *Egress { return &Egress{conn: c} }

// Doubt makes the next Apply look for tables and rules that a crashed run left.
func (e *Egress) Doubt() { e.using = true }

// End removes the rules of devices in one system call, without looking at the
// kernel. Nothing leads to the tables then. They go with the devices.
func (e *Egress) End(devices []EgressDevice) {
	var requests []*nl.NetlinkRequest
	for i := range devices {
		d := &devices[i]
		if !d.Egress || d.Index == 0 {
			continue
		}
		for _, r := range d.rules() {
			requests = append(requests, ruleRequest(unix.RTM_DELRULE, 0, &r))
		}
	}
	if len(requests) > 0 {
		e.conn.Do(requests) // the next Apply finds what could not be removed
	}
}

// Apply adds and removes tables and rules as devices, which are all devices,
// need them. It returns what it changed.
func (e *Egress) Apply(devices []EgressDevice) ([]Change, error) {
	using := slices.ContainsFunc(devices, func(d EgressDevice) bool { return d.Egress })
	if !using && !e.using {
		return nil, nil
	}
	e.using = true
	c, err := rtnl.DialStrict()
	if err != nil {
		return nil, fmt.Errorf("egress: %w", err)
	}
	defer c.Close()
	want, errWant := wantEgress(c, devices)
	have, err := haveEgress(c)
	if err != nil {
		return nil, fmt.Errorf("egress: %w", errors.Join(errWant, err))
	}
	changes, err := e.change(devices, &want, &have)
	e.using = using || err != nil
	if err = errors.Join(errWant, err); err != nil {
		return changes, fmt.Errorf("egress: %w", err)
	}
	return changes, nil
}

// An egress is the tables and rules of all devices.
type egress struct {
	routes []fibRoute
	rules  []Rule
}

func wantEgress(c *rtnl.Conn, devices []EgressDevice) (egress, error) {
	var want egress
	var errs []error
	tables := map[uint32][]fibRoute{}
	for i := range devices {
		d := &devices[i]
		if !d.active() {
			continue
		}
		from := d.routesFrom()
		if _, known := tables[from]; !known {
			all, err := dumpRoutes(c, routeFilter{table: from})
			errs = append(errs, err)
			tables[from] = all
		}
		want.routes = append(want.routes, egressRoutes(tables[from], d)...)
		want.rules = append(want.rules, d.rules()...)
	}
	return want, errors.Join(errs...)
}

func haveEgress(c *rtnl.Conn) (egress, error) {
	var have egress
	all, err := dumpRoutes(c, routeFilter{protocol: Protocol})
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
			if r.protocol == Protocol && forEgress(r.rule.Table) {
				have.rules = append(have.rules, r.rule)
			}
		}
	}
	return have, nil
}

// change turns have into want. It first removes rules and then routes that are
// not wanted. Then it adds routes, those on the link before those through a
// gateway on it, and then the rules that lead to them.
func (e *Egress) change(devices []EgressDevice, want, have *egress) ([]Change, error) {
	idle := map[uint32]bool{} // tables that no rule leads to for now
	names := map[uint32]string{}
	for i := range devices {
		if d := &devices[i]; d.Index != 0 {
			names[d.table()] = d.Name
			idle[d.table()] = d.Egress && !d.active()
		}
	}
	var ops []op
	var of []uint32
	add := func(table uint32, q *nl.NetlinkRequest, text string) {
		ops, of = append(ops, op{q, text}), append(of, table)
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
	return e.carryOut(ops, of, names)
}

func keysOf(routes []fibRoute) map[string]bool {
	keys := make(map[string]bool, len(routes))
	for i := range routes {
		keys[routes[i].whole()] = true
	}
	return keys
}

// A policyOp adds or deletes one route or rule.
type op struct {
	request *nl.NetlinkRequest
	text    string
}

func (e *Egress) carryOut(ops []op, of []uint32, names map[uint32]string) ([]Change, error) {
	requests := make([]*nl.NetlinkRequest, len(ops))
	for i := range ops {
		requests[i] = ops[i].request
	}
	if len(ops) == 0 {
		return nil, nil
	}
	results := e.conn.Do(requests)
	var repairs []Change
	var errs []error
	for i := range ops {
		switch {
		case results == nil || results[i] == nil:
			repairs = append(repairs, Change{names[of[i]], ops[i].text})
		case errors.Is(results[i], unix.EEXIST), errors.Is(results[i], unix.ESRCH), errors.Is(results[i], unix.ENOENT):
		default:
			errs = append(errs, fmt.Errorf("%s: %w", ops[i].text, results[i]))
		}
	}
	return repairs, errors.Join(errs...)
}
