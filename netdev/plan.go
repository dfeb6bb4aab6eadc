package netdev

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"holdfast/netdev/policy"

	"golang.org/x/sys/unix"
)

// A device is one Spec with what the Host knows of it.
type device struct {
	spec  Spec
	state State
	index int // of the macvlan, or of the parent in interface mode; 0: absent
	// mine are the addresses that are ours to remove. In interface mode those
	// that were there before us are not.
	mine map[netip.Prefix]bool
	// onParent are the parent's own subnets, when last seen.
	onParent []netip.Prefix
	// parent and vrf are the parent's index and the routing table of the VRF that
	// it is in, 0 if it is in none, when last seen.
	parent int
	vrf    uint32
	seen   bool // it has been looked at, and
	left   bool // was up then, or had its addresses: a former run was MASTER
	// protoDown is IFLA_PROTO_DOWN as last set or seen; noProtoDown says that
	// the kernel refused it.
	protoDown, noProtoDown bool
	// falling says that the device is silent and TakeDown has still to come: that
	// it is up and has its addresses is no damage.
	falling bool
	policy  *policy.Device
}

// muteFlags returns how the device is made Muted. IFF_NOARP ends ARP and
// neighbour answers at once; but the kernel takes any change of flags for a
// roam and repeats its multicast listener reports (net/ipv6/addrconf.c
// addrconf_notify), each of which draws the MAC back to this switch port. With
// IPv6 it is therefore protocol down before: the kernel then sends nothing at all
// through the device, and goes on receiving. That alone would come too late where
// everybody wants the network's lock, for which the work queue waits that takes
// notice of it (net/core/link_watch.c linkwatch_event).
func (d *device) muteFlags() (flags uint32, protoDown bool) {
	return unix.IFF_NOARP, d.spec.wantsIPv6() && !d.noProtoDown
}

// An op is one change to the kernel's devices or addresses.
type op struct {
	verb   verb
	device *device
	index  int // interface; 0 for create
	// create
	parent int
	// create, setLink
	master    int
	setMaster bool
	// setLink
	flags, mask uint32
	rename      bool // sets the alias and the address generation mode too
	setProto    bool
	protoDown   bool
	// addAddress, removeAddress
	prefix        netip.Prefix
	address       *Address // to add
	noPrefixRoute bool
}

type verb uint8

const (
	create verb = iota + 1
	remove
	setLink
	addAddress
	removeAddress
)

// String says what is done: "add address 10.0.0.100/24".
func (o op) String() string {
	switch o.verb {
	case create:
		return "create the device"
	case remove:
		return "remove the device, whose name, parent, MAC or mode is wrong"
	case addAddress:
		return fmt.Sprintf("add address %v", o.prefix)
	case removeAddress:
		return fmt.Sprintf("remove address %v", o.prefix)
	}
	var parts []string
	if o.rename {
		parts = append(parts, "set the alias")
	}
	if o.setMaster {
		parts = append(parts, "move it to its parent's VRF")
	}
	switch {
	case !o.setProto:
	case o.protoDown:
		parts = append(parts, "set protocol down")
	default:
		parts = append(parts, "set protocol up")
	}
	for _, f := range []struct {
		bit     uint32
		on, off string
	}{{unix.IFF_UP, "set it up", "set it down"}, {unix.IFF_NOARP, "turn ARP off", "turn ARP on"}} {
		switch {
		case o.mask&f.bit == 0:
		case o.flags&f.bit != 0:
			parts = append(parts, f.on)
		default:
			parts = append(parts, f.off)
		}
	}
	return strings.Join(parts, ", ")
}

// ours reports whether an alias is one that the owner wrote.
func ours(owner, alias string) bool {
	return alias == owner || strings.HasPrefix(alias, owner+" ")
}

// aliasOf returns the alias of a spec's device.
func aliasOf(owner string, s *Spec) string {
	if s.Alias == "" {
		return owner
	}
	return owner + " " + s.Alias
}

// ErrNoParent is the error of a device whose parent interface does not exist
// (yet, or any more).
var ErrNoParent = errors.New("does not exist")

// plan returns the steps that bring a device nearer to its state, none if it
// is there. A device that has to be made is planned in two goes, as its index
// is not known before.
func plan(owner string, d *device, o *observation) ([]op, error) {
	parent := o.byName[d.spec.Parent]
	if parent == nil {
		missing := fmt.Errorf("device %s: interface %s %w", d.spec.Name, d.spec.Parent, ErrNoParent)
		if d.state == Muted && o.byIndex[d.parent] != nil {
			return nil, missing // it serves until it is released, under whatever name
		}
		if steps := stranded(owner, d, o); len(steps) > 0 {
			return steps, nil
		}
		d.index, d.parent = 0, 0
		return nil, missing
	}
	d.onParent = subnets(o.addresses[parent.index])
	d.parent, d.vrf = parent.index, 0
	if vrf := o.vrf(parent); vrf != 0 {
		d.vrf = o.byIndex[vrf].table
	}
	if !d.spec.virtual() {
		d.index = parent.index
		return planAddresses(d, o.addresses[parent.index]), nil
	}
	if !parent.ethernet {
		return nil, fmt.Errorf("device %s: %s is not an Ethernet interface: a virtual MAC needs one", d.spec.Name, parent.name)
	}
	have := o.byName[d.spec.Name]
	build := op{verb: create, device: d, parent: parent.index, master: o.vrf(parent)}
	if have == nil {
		steps := []op{build}
		// Somebody renamed it. As it has our MAC no other can come up beside it.
		if lost := o.byIndex[d.index]; lost != nil && lost.kind == "macvlan" && ours(owner, lost.alias) {
			steps = []op{{verb: remove, device: d, index: lost.index}, build}
		}
		d.index = 0
		return steps, nil
	}
	if err := foreign(owner, d, have); err != nil {
		return nil, err
	}
	if have.parent != o.lower(parent) || have.mac != d.spec.MAC || !have.bridgeMode {
		d.index = 0
		return []op{{verb: remove, device: d, index: have.index}, build}, nil
	}
	d.index = have.index
	return append(planLink(owner, d, have, o.vrf(parent)), planAddresses(d, o.addresses[have.index])...), nil
}

// stranded takes away what a device has on a parent that has another name now, or
// went to another network namespace: nobody else will.
func stranded(owner string, d *device, o *observation) []op {
	if d.spec.virtual() {
		have := o.byName[d.spec.Name]
		if have == nil || foreign(owner, d, have) != nil {
			return nil
		}
		d.index = 0
		return []op{{verb: remove, device: d, index: have.index}}
	}
	var ops []op
	for _, a := range slices.Backward(o.addresses[d.index]) {
		if d.mine[a.prefix] {
			ops = append(ops, op{verb: removeAddress, device: d, index: d.index, prefix: a.prefix})
		}
	}
	return ops
}

// foreign says why a device of our name is not ours. One without an alias but
// with our kind and MAC is: a run that crashed had not come to set it.
func foreign(owner string, d *device, have *link) error {
	if have.kind == "macvlan" && (ours(owner, have.alias) || have.alias == "" && have.mac == d.spec.MAC) {
		return nil
	}
	return fmt.Errorf("device %s exists and is not ours (%s, alias %q): remove it, or choose another name",
		d.spec.Name, have.kind, have.alias)
}

func planLink(owner string, d *device, have *link, vrf int) []op {
	var flags uint32
	var protoDown bool
	switch d.state {
	case Claimed:
		flags = unix.IFF_UP
	case Muted:
		flags, protoDown = d.muteFlags()
		flags |= unix.IFF_UP
	}
	set := op{verb: setLink, device: d, index: have.index, flags: flags}
	set.mask = (have.flags ^ flags) & upAndARP
	set.rename = have.alias != aliasOf(owner, &d.spec)
	if have.master != vrf {
		set.setMaster, set.master = true, vrf
	}
	if have.protoDown != protoDown {
		set.setProto, set.protoDown = true, protoDown
	}
	d.protoDown = protoDown
	if set.mask == 0 && !set.rename && !set.setMaster && !set.setProto {
		return nil
	}
	return []op{set}
}

// planAddresses compares addresses. Wanted ones that are missing are put on, and
// those that are on otherwise than wanted put on anew.
// Taken off is what is ours: everything on a macvlan that must be bare, as any
// address there is one that the host would take traffic for, and otherwise
// what carries our mark or is known to be ours.
func planAddresses(d *device, have []address) []op {
	var ops []op
	bare := d.state == Bare
	present := map[netip.Prefix]bool{}
	for _, a := range slices.Backward(have) { // secondaries before their primary
		want := d.wanted(a.prefix)
		our := d.mine[a.prefix]
		if d.spec.virtual() {
			our = our || bare || a.protocol == AddressProtocol
		}
		wrong := bare || want == nil || d.state == Claimed && !d.like(&a, want)
		present[a.prefix] = !our || !wrong
		if our && wrong {
			ops = append(ops, op{verb: removeAddress, device: d, index: d.index, prefix: a.prefix})
		}
	}
	if d.state != Claimed {
		return ops
	}
	for i := range d.spec.Addresses {
		if a := &d.spec.Addresses[i]; !present[a.Prefix] {
			ops = append(ops, op{
				verb: addAddress, device: d, index: d.index, prefix: a.Prefix, address: a, noPrefixRoute: d.noPrefixRoute(a),
			})
		}
	}
	return ops
}

func (d *device) wants(p netip.Prefix) bool { return d.wanted(p) != nil }

// subnets returns the prefixes of addresses that are not ours.
func subnets(have []address) []netip.Prefix {
	var all []netip.Prefix
	for _, a := range have {
		if a.protocol != AddressProtocol {
			all = append(all, a.prefix)
		}
	}
	return all
}

// covered reports whether p lies in a subnet that the parent is connected to.
// Its connected route must then not appear on the macvlan too: it would
// compete with the parent's, which has the director's own address, and win
// whenever that has a metric or came later.
func covered(p netip.Prefix, parent []netip.Prefix) bool {
	return slices.ContainsFunc(parent, func(q netip.Prefix) bool {
		return q.Bits() <= p.Bits() && q.Contains(p.Addr())
	})
}
