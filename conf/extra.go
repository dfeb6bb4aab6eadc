package conf

import "slices"

// An ExtraInterface is an interface, other than the instance's own, that
// carries some of its addresses.
type ExtraInterface struct {
	Interface string
	Device    string // the macvlan on it; "" with MACInterface
}

// Interfaces returns the names of the interfaces that an instance needs, its
// own first.
func (in *Instance) Interfaces() []string {
	list := []string{in.Interface}
	for _, x := range in.Extra {
		list = append(list, x.Interface)
	}
	return list
}

// resolveExtra collects the extra interfaces from the addresses.
func (in *Instance) resolveExtra(t *table) {
	for key, list := range map[string][]Address{"addresses": in.Prefixes, "excluded_addresses": in.Excluded} {
		for _, a := range list {
			if a.Interface == in.Interface && a.Interface != "" && t.ok(key, "interface") {
				t.failf(key, "%v: %s is the instance's own interface: leave it out", a.Prefix, a.Interface)
			}
		}
	}
	for _, a := range slices.Concat(in.Prefixes, in.Excluded) {
		known := slices.ContainsFunc(in.Extra, func(x ExtraInterface) bool { return x.Interface == a.Interface })
		if a.Interface != "" && !known {
			in.Extra = append(in.Extra, ExtraInterface{Interface: a.Interface})
		}
	}
	// Adverts teach switches the virtual MAC, and they leave by the instance's own
	// interface alone.
	if len(in.Extra) > 0 && in.Announce.Refresh == 0 && in.MAC.Mode != MACInterface && t.ok("garp") {
		t.failf("garp", "refresh must not be 0s: no adverts are sent on %s, so the switches there learn the virtual MAC from refreshes only",
			in.Extra[0].Interface)
	}
}

// nameExtra names the macvlans on the extra interfaces: "vrrp4-51-eth2".
func (in *Instance) nameExtra(taken map[string]bool) {
	for i := range in.Extra {
		x := &in.Extra[i]
		x.Device = deriveDevice(in.Family, in.VRID, x.Interface)
		if taken[x.Device] {
			x.Device = deriveDevice(in.Family, in.VRID, x.Interface+"."+in.Name)
		}
		taken[x.Device] = true
	}
}

// claimExtra refuses devices on extra interfaces that clash with those of other
// instances.
func (k *taken) claimExtra(t *table, in *Instance) {
	for _, x := range in.Extra {
		if first := k.stations.use(station{x.Interface, in.MAC.Address}, t.where("addresses")); first != "" {
			t.failf("addresses", "two devices on %s would have the same MAC address, see %s", x.Interface, first)
		}
		if first := k.devices.use(x.Device, t.where("addresses")); first != "" {
			t.failf("addresses", "the device on %s would have the name %q, which %s uses: choose another device name there", x.Interface, x.Device, first)
		}
		if k.parents[x.Device] {
			t.failf("addresses", "the device on %s would have the name %q, which is the interface of an instance", x.Interface, x.Device)
		}
	}
}
