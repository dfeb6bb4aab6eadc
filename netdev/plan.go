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

// A device is one Spec with what the Host knows about it.
type device struct {
	spec  Spec
	state State
	index int // of the macvlan, or of the parent in interface mode; 0: absent
	// mine are the addresses that we may remove. In interface mode that leaves out
	// those that were there before us.
	mine map[netip.Prefix]bool
	// onParent are the parent's own subnets at the last look.
	onParent []netip.Prefix
	// parent is the parent's index and vrf the routing table of the VRF that it is
	// in (0: none), at the last look.
	parent int
	vrf    uint32

	seen     bool // it was looked at once
	left     bool // at that look it was up or had its addresses: a crashed run was MASTER
	recorded bool // the journal on disk names it as it is
	ready    bool // it had all its sysctls once
	// disabled says that Disable was called and TakeDown is still to come. Until
	// then the device may be up and have its addresses.
	disabled bool
	// protoDown is IFLA_PROTO_DOWN as last set or seen. noProtoDown says that the
	// kernel refused it.
	protoDown, noProtoDown bool
	policy                 *policy.Device
}

// muteFlags returns how the device is muted. IFF_NOARP ends answers to ARP and
// neighbour solicitations at once. But on any change of flags the kernel repeats
// its multicast listener reports (net/ipv6/addrconf.c addrconf_notify), and each
// report makes the switch send the MAC's frames to this port. So a device with
// IPv6 is set protocol down before: then the kernel sends nothing through it, and
// goes on receiving. Protocol down alone would take effect too late on a busy
// machine, because a work queue that waits for the network's lock has to notice
// it (net/core/link_watch.c linkwatch_event).
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
	narrow    bool // the device has no IPv6
	// setLink
	flags, mask uint32
	rename      bool // sets the alias and the address generation mode too
	setProto    bool
	protoDown   bool
	mtu         int // to set; 0: as it is
	// addAddress, removeAddress
	prefix        netip.Prefix
	address       *Address // to add
	noPrefixRoute bool
}

// An opKey identifies a step among those of one pass.
type opKey struct {
	device *device
	verb   verb
	prefix netip.Prefix
}

func (o *op) key() opKey { return opKey{o.device, o.verb, o.prefix} }

type verb uint8

const (
	create verb = iota + 1
	remove
	setLink
	addAddress
	removeAddress
)

// String describes the step: "add address 10.0.0.100/24".
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
	if o.mtu != 0 {
		parts = append(parts, fmt.Sprintf("set the MTU to %d", o.mtu))
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

// aliasOf returns the alias for a spec's device.
func aliasOf(owner string, s *Spec) string {
	if s.Alias == "" {
		return owner
	}
	return owner + " " + s.Alias
}

// ErrNoParent is the error of a device whose parent interface does not exist now.
var ErrNoParent = errors.New("does not exist")

// plan returns the steps that bring a device nearer to its state, none if it is
// there. A device that has to be made is planned in two rounds, because its index
// is not known in the first.
func plan(owner string, d *device, o *observation) ([]op, error) {
	parent := o.byName[d.spec.Parent]
	if parent == nil {
		missing := fmt.Errorf("device %s: interface %s %w", d.spec.Name, d.spec.Parent, ErrNoParent)
		if d.state == Muted && o.byIndex[d.parent] != nil {
			return nil, missing // it serves until it is released, whatever the parent is called now
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
		d.recorded = d.recorded && d.index == parent.index // the journal names the index
		d.index = parent.index
		return planAddresses(d, o.addresses[parent.index]), nil
	}
	if !parent.ethernet {
		return nil, fmt.Errorf("device %s: %s is not an Ethernet interface: a virtual MAC needs one", d.spec.Name, parent.name)
	}
	have := o.byName[d.spec.Name]
	build := op{verb: create, device: d, parent: parent.index, master: o.vrf(parent), narrow: parent.narrow()}
	if have == nil {
		steps := []op{build}
		// Somebody renamed it. No other device with its MAC can come up beside it.
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
	return append(planLink(owner, d, have, parent, o.vrf(parent)), planAddresses(d, o.addresses[have.index])...), nil
}

// stranded returns the steps that remove what a device has on a parent that was
// renamed or went to another network namespace.
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

// foreign says why a device with our name is not ours. One without an alias is ours
// if it is a macvlan with our MAC: a run crashed before it set the alias.
func foreign(owner string, d *device, have *link) error {
	if have.kind == "macvlan" && (ours(owner, have.alias) || have.alias == "" && have.mac == d.spec.MAC) {
		return nil
	}
	return fmt.Errorf("device %s exists and is not ours (%s, alias %q): remove it, or choose another name",
		d.spec.Name, have.kind, have.alias)
}

func planLink(owner string, d *device, have, parent *link, vrf int) []op {
	var flags uint32
	var protoDown bool
	switch d.state {
	case Claimed:
		flags = unix.IFF_UP
	case Muted:
		flags, protoDown = d.muteFlags()
		flags |= unix.IFF_UP
	}
	set := op{verb: setLink, device: d, index: have.index, flags: flags, narrow: have.narrow()}
	if have.mtu < parent.mtu { // the kernel lowers it with the parent's, and does not raise it
		set.mtu = parent.mtu
	}
	set.mask = (have.flags ^ flags) & upAndARP
	set.rename = have.alias != aliasOf(owner, &d.spec)
	if have.master != vrf {
		set.setMaster, set.master = true, vrf
	}
	if have.protoDown != protoDown {
		set.setProto, set.protoDown = true, protoDown
	}
	d.protoDown = protoDown
	if set.mask == 0 && !set.rename && !set.setMaster && !set.setProto && set.mtu == 0 {
		return nil
	}
	return []op{set}
}

// planAddresses returns the steps that add missing addresses, replace those that
// have other properties than the spec says, and remove those that are not wanted.
// It removes only our own: those that carry our protocol number or that we know
// we added, and every address on a macvlan that must be bare, because the host
// would take traffic for any of them.
func planAddresses(d *device, have []address) []op {
	var ops []op
	bare := d.state == Bare
	present := map[netip.Prefix]bool{}
	for _, a := range slices.Backward(have) { // secondary addresses before their primary
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

// covered reports whether p lies in a subnet of the parent. Then the macvlan must
// not have a connected route too: it would compete with the parent's route, which
// has the director's own address, and win if that has a metric or came later.
func covered(p netip.Prefix, parent []netip.Prefix) bool {
	return slices.ContainsFunc(parent, func(q netip.Prefix) bool {
		return q.Bits() <= p.Bits() && q.Contains(p.Addr())
	})
}
