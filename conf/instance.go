package conf

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"holdfast/vrrp"
)

var checksum = choice(
	option[vrrp.Checksum]{"pseudo", vrrp.ChecksumPseudo},
	option[vrrp.Checksum]{"rfc9568", vrrp.ChecksumRFC9568},
)

var addressCheck = choice(
	option[vrrp.AddressCheck]{"count", vrrp.AddressCount},
	option[vrrp.AddressCheck]{"drop", vrrp.AddressDrop},
)

func (in *Instance) visit(t *table) (p parts) {
	need(t, "name", &in.Name, name)
	need(t, "interface", &in.Interface, interfaceName)
	need(t, "vrid", &in.VRID, integer[uint8](1, 255))
	field(t, "version", &in.Version, integer[uint8](2, 3), 3)
	field(t, "priority", &in.Priority, integer[uint8](1, 255), 100)
	// vrrp.Config.Validate checks the bounds, because they depend on the version.
	field(t, "interval", &in.Interval, duration(0, time.Hour), time.Second)
	field(t, "preempt", &in.Preempt, boolean, true)
	field(t, "preempt_delay", &in.PreemptDelay, duration(0, 24*time.Hour), 0)
	field(t, "preempt_command", &in.PreemptCommand, preemptCommand, Command{})
	in.visitHoldoff(t)
	visitPeers(t, &in.Peers, &in.Unicast)
	in.visitSending(t)
	field(t, "mac", &in.MAC, mac, MAC{})
	field(t, "device", &in.Device, optional(deviceName), "")
	field(t, "accept", &in.Accept, boolean, true)
	if t.reading() || in.MAC.Mode != MACInterface {
		field(t, "egress", &in.Egress, boolean, false)
	}
	need(t, "addresses", &in.Prefixes, written(listOf(virtualAddress)))
	field(t, "excluded_addresses", &in.Excluded, listOf(virtualAddress), nil)
	in.visitFamily(t)
	field(t, "track", &in.Track, listOf(tracking), nil)
	field(t, "checksum", &in.Checksum, checksum, vrrp.ChecksumPseudo)
	field(t, "address_check", &in.AddressCheck, addressCheck, vrrp.AddressCount)
	t.sub("auth", in.visitAuth)
	if t.reading() || !in.bare() {
		t.sub("garp", in.Announce.visit)
	}
	also := list(t, "also", &in.Also, func(t *table, p *Path) { p.visit(t) })
	t.sub("notify", in.Notify.visitInstance)
	in.visitPolicy(t)
	p.resources = list(t, "resource", &in.Resources, func(t *table, r *Resource) { r.visit(t) })
	t.maybe("fence", in.Fence.Kind != "", in.Fence.visit)
	if t.reading() {
		in.resolve(t)
		in.resolveAlso(also)
	}
	return p
}

// resolve fills in what follows from the keys, and checks their combinations.
func (in *Instance) resolve(t *table) {
	in.Addresses = make([]netip.Addr, len(in.Prefixes))
	for i, p := range in.Prefixes {
		in.Addresses[i] = p.Addr()
	}
	if in.bare() && t.ok("addresses", "excluded_addresses") {
		in.resolveBare(t)
	}
	switch in.MAC.Mode {
	case MACVirtual:
		in.MAC.Address = vrrp.VirtualMAC(in.Family, in.VRID)
	case MACPrivate:
		in.MAC.Address = PrivateMAC(in.Family, in.VRID, in.Name)
	case MACInterface:
		t.forbid(`with mac = "interface", because there is no macvlan device`, "device", "egress")
	}
	if !in.Accept && in.Priority == vrrp.PriorityOwner && t.ok("priority") {
		t.failf("accept", "must be true with priority 255: the owner of the addresses accepts packets for them")
	}
	if in.Egress && !in.Accept {
		t.failf("egress", "has no effect with accept = false: no packets are sent from the addresses")
	}
	routable := func(p Address) bool { return !p.Addr().IsLinkLocalUnicast() }
	if in.Egress && t.ok("addresses", "egress") && !slices.ContainsFunc(slices.Concat(in.Prefixes, in.Excluded), routable) {
		t.failf("egress", "has no effect when all addresses are link-local: their packets leave by the macvlan anyway")
	}
	in.resolveExtra(t)
	in.resolveSending(t)
	if in.Version == 2 && in.Checksum == vrrp.ChecksumRFC9568 {
		t.failf("checksum", "has no effect with version 2")
	}
	for _, fault := range faults(in.Config.Validate()) {
		if field, ok := errors.AsType[*vrrp.FieldError](fault); ok && t.ok(field.Key) {
			t.failf(field.Key, "%s", field.Problem)
		}
	}
}

// faults returns the errors that errors.Join joined.
func faults(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

func (a *Announce) visit(t *table) {
	field(t, "repeat", &a.Repeat, integer[int](1, 100), 5)
	field(t, "delay", &a.Delay, duration(0, time.Hour), 5*time.Second)
	field(t, "refresh", &a.Refresh, duration(0, 24*time.Hour), time.Minute)
	field(t, "refresh_repeat", &a.RefreshRepeat, integer[int](1, 100), 1)
	field(t, "interval", &a.Interval, duration(0, time.Second), 0)
}
