package policy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// A seenRoute is a route as the kernel reports it.
type seenRoute struct {
	key      routeKey
	protocol uint8
	kind     uint8
	via      netip.Addr
	index    int
	body     []byte // of the message
}

// String describes the route: "a route via 10.0.0.9 by eth0 of protocol static".
func (r *seenRoute) String() string {
	text := "a route"
	if i := int(r.kind) - unix.RTN_UNICAST; i > 0 && i < len(RouteTypes) {
		text = "a route of type " + RouteTypes[i]
	}
	if r.via.IsValid() {
		text += " via " + r.via.String()
	}
	if l, err := netlink.LinkByIndex(r.index); r.index != 0 && err == nil {
		text += " by " + l.Attrs().Name
	}
	return text + " of protocol " + protocolName(r.protocol)
}

// protocolName names whoever added a route, as `ip route` does
// (include/uapi/linux/rtnetlink.h RTPROT_*).
func protocolName(p uint8) string {
	names := map[uint8]string{
		0: "unspec", 1: "redirect", 2: "kernel", 3: "boot", 4: "static", 9: "ra", 11: "zebra", 12: "bird", 15: "xorp",
		16: "dhcp", 18: "keepalived", 42: "babel", 186: "bgp", 187: "isis", 188: "ospf", 189: "rip", 192: "eigrp",
	}
	if name, ok := names[p]; ok {
		return name
	}
	return fmt.Sprint(p)
}

// eachSeen calls do with the routes of a family that pass a filter, until do returns
// false.
func eachSeen(v6 bool, f routeFilter, do func(seenRoute) bool) error {
	c, err := rtnl.DialStrict()
	if err != nil {
		return err
	}
	defer c.Close()
	err = eachRoute(c, v6, f, func() {}, func(b []byte) error {
		r, err := parseRoute(b)
		switch {
		case err != nil:
			return err
		case f.passes(r.protocol, &r.key) && !do(r):
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

var errEnough = errors.New("enough was seen")

// parseRoute reads the body of an RTM_NEWROUTE or RTM_DELROUTE message.
func parseRoute(b []byte) (seenRoute, error) {
	m, key, err := parseRouteKey(b)
	if err != nil {
		return seenRoute{}, err
	}
	r := seenRoute{key: key, protocol: m.Protocol, kind: m.Type, body: bytes.Clone(b)} // the buffer is used again
	rtnl.EachAttribute(b[unix.SizeofRtMsg:], func(kind uint16, value []byte) {
		switch {
		case kind == unix.RTA_GATEWAY:
			r.via, _ = netip.AddrFromSlice(value)
		case kind == unix.RTA_OIF && len(value) >= 4:
			r.index = int(binary.NativeEndian.Uint32(value))
		}
	})
	return r, nil
}

// A seenRule is a rule as the kernel reports it.
type seenRule struct {
	rule     Rule
	protocol uint8
	body     []byte
}

// seeRules lists the rules of a family.
func seeRules(c *rtnl.Conn, v6 bool) ([]seenRule, error) {
	request := func() *nl.NetlinkRequest {
		q := nl.NewNetlinkRequest(unix.RTM_GETRULE, 0)
		q.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family(v6))}})
		return q
	}
	var all []seenRule
	err := c.Dump(request, unix.RTM_NEWRULE, func() { all = nil }, func(b []byte) error {
		rule, protocol, err := parseRule(b)
		all = append(all, seenRule{rule, protocol, bytes.Clone(b)})
		return err
	})
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list rules: %w", err)
	}
	return all, nil
}

// Look compares routes and rules with the kernel's and changes nothing. In the result,
// routes come first, each in the order of the arguments. Present says that ours is
// there. Why says what would keep it from being there if its device were claimed now.
func Look(routes []Route, rules []Rule) ([]State, error) {
	states := absent(routes, rules)
	find := &names{indexes: map[string]int{}, tables: map[string]uint32{}}
	var errs []error
	for i := range routes {
		r, state := &routes[i], &states[i]
		table, err := r.table(find)
		for _, name := range r.devices() {
			if name != "" && find.index(name) == 0 && err == nil {
				err = fmt.Errorf("interface %s does not exist", name)
			}
		}
		if err != nil {
			state.Why = err.Error()
			continue
		}
		key := r.key(table)
		errs = append(errs, eachSeen(r.To.Addr().Is6(), routeFilter{table: table}, func(have seenRoute) bool {
			if have.key != key {
				return true
			}
			if state.Present = have.protocol == Protocol; !state.Present {
				state.Why = have.String() + " has its place"
			}
			return false
		}))
	}
	for i := range rules {
		errs = append(errs, lookRule(&rules[i], &states[len(routes)+i]))
	}
	return states, errors.Join(errs...)
}

func lookRule(r *Rule, state *State) error {
	c, err := rtnl.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	seen, err := seeRules(c, r.IPv6)
	for _, have := range seen {
		state.Present = state.Present || have.protocol == Protocol && have.rule == r.normal()
	}
	return err
}

// A names looks up interfaces for one pass over routes, each once.
type names struct {
	own     int
	indexes map[string]int
	tables  map[string]uint32
}

func (n *names) index(name string) int {
	if name == "" {
		return n.own
	}
	n.find(name)
	return n.indexes[name]
}

func (n *names) vrf(name string) uint32 {
	n.find(name)
	return n.tables[name]
}

func (n *names) find(name string) {
	if _, known := n.indexes[name]; known {
		return
	}
	n.indexes[name] = 0
	l, err := netlink.LinkByName(name)
	if err != nil {
		return
	}
	n.indexes[name] = l.Attrs().Index
	if v, ok := l.(*netlink.Vrf); ok {
		n.tables[name] = v.Table
	}
}
