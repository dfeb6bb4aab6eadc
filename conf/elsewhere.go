package conf

import "slices"

// A Place is where an instance has addresses, beside its own interface.
type Place struct {
	Interface string
	Device    string // the macvlan there; "" with MACInterface
}

// Interfaces are those that an instance needs, its own first.
func (in *Instance) Interfaces() []string {
	list := []string{in.Interface}
	for _, p := range in.Elsewhere {
		list = append(list, p.Interface)
	}
	return list
}

// resolveElsewhere notes the interfaces on which addresses are asked for.
func (in *Instance) resolveElsewhere(t *table) {
	for key, list := range map[string][]Address{"addresses": in.Prefixes, "excluded_addresses": in.Excluded} {
		for _, a := range list {
			if a.Interface == in.Interface && a.Interface != "" && t.ok(key, "interface") {
				t.failf(key, "%v: %s is the interface of the instance anyway", a.Prefix, a.Interface)
			}
		}
	}
	for _, a := range slices.Concat(in.Prefixes, in.Excluded) {
		known := slices.ContainsFunc(in.Elsewhere, func(p Place) bool { return p.Interface == a.Interface })
		if a.Interface != "" && !known {
			in.Elsewhere = append(in.Elsewhere, Place{Interface: a.Interface})
		}
	}
	if len(in.Elsewhere) > 0 && in.Announce.Refresh == 0 && in.MAC.Mode != MACInterface && t.ok("garp") {
		t.failf("garp", "refresh must not be 0s: adverts do not go to %s, and nothing else would tell the switches there where the virtual MAC is",
			in.Elsewhere[0].Interface)
	}
}

// namePlaces names the devices of an instance elsewhere: "vrrp4-51-eth2".
func (in *Instance) namePlaces(taken map[string]bool) {
	for i := range in.Elsewhere {
		p := &in.Elsewhere[i]
		p.Device = deriveDevice(in.Family, in.VRID, p.Interface)
		if taken[p.Device] {
			p.Device = deriveDevice(in.Family, in.VRID, p.Interface+"."+in.Name)
		}
		taken[p.Device] = true
	}
}

// claimPlaces refuses devices elsewhere that are in another's way.
func (k *taken) claimPlaces(t *table, in *Instance) {
	for _, p := range in.Elsewhere {
		if first := k.stations.use(station{p.Interface, in.MAC.Address}, t.where("addresses")); first != "" {
			t.failf("addresses", "two devices on %s would have one MAC address, see %s", p.Interface, first)
		}
		if first := k.devices.use(p.Device, t.where("addresses")); first != "" {
			t.failf("addresses", "the device on %s would be called %q as the one of %s: give that another name", p.Interface, p.Device, first)
		}
		if k.parents[p.Device] {
			t.failf("addresses", "the device on %s would be called %q, which is the interface of an instance", p.Interface, p.Device)
		}
	}
}
