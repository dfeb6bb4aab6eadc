package conf

import (
	"cmp"
	"net/netip"
	"slices"

	"holdfast/vrrp"
)

// checkRouters refuses instances that conflict with each other.
func (c *Config) checkRouters(tables []*table) {
	taken := newTaken(c.VRRP)
	for i, t := range tables {
		in := &c.VRRP[i]
		if taken.claimVRID(t, in) {
			taken.claimAddresses(t, in)
			taken.claimDevice(t, in)
			taken.claimGroup(t, in)
		}
	}
}

// taken has what the instances so far use.
type taken struct {
	routers   unique[router]
	addresses unique[heldAddress]
	stations  unique[station]
	devices   unique[string]
	parents   map[string]bool
	groups    map[string]map[netip.Addr]bool // by interface
}

type (
	router struct {
		on     string
		family vrrp.Family
		vrid   uint8
	}
	heldAddress struct {
		on   string // interface; "" unless the address is link-local, which each link may have
		addr netip.Addr
	}
	station struct {
		on  string
		mac [6]byte
	}
)

func newTaken(instances []Instance) taken {
	parents := make(map[string]bool)
	for _, in := range instances {
		for _, name := range slices.Concat(in.Interfaces(), in.Wires()) {
			parents[name] = true
		}
	}
	return taken{
		routers:   make(unique[router]),
		addresses: make(unique[heldAddress]),
		stations:  make(unique[station]),
		devices:   make(unique[string]),
		parents:   parents,
		groups:    make(map[string]map[netip.Addr]bool),
	}
}

// claimVRID returns false if another instance has the same virtual router. Then
// the other conflicts between the two need no report.
func (k *taken) claimVRID(t *table, in *Instance) bool {
	if !t.ok("interface", "vrid", "addresses") {
		return true
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(in.Wires()))) { // resolveAlso refuses one that is listed twice
		if first := k.routers.use(router{name, in.Family, in.VRID}, t.where("vrid")); first != "" {
			t.failf("vrid", "%d is already used on %s, at %s; use another VRID, even if the multicast group or the peers differ", in.VRID, name, first)
			return false
		}
	}
	return true
}

func (k *taken) claimAddresses(t *table, in *Instance) {
	claim := func(key string, prefixes []Address) {
		if !t.ok(key) {
			return
		}
		for _, p := range prefixes {
			at := heldAddress{addr: p.Addr()}
			if at.addr.IsLinkLocalUnicast() {
				at.on = cmp.Or(p.Interface, in.Interface)
			}
			if first := k.addresses.use(at, t.where(key)); first != "" {
				t.failf(key, "%v is already used at %s", at.addr, first)
			}
		}
	}
	claim("addresses", in.Prefixes)
	claim("excluded_addresses", in.Excluded)
}

// maxGroups is how many multicast groups a socket can join, by the default of
// net.ipv4.igmp_max_memberships. holdfast has one socket for each interface.
const maxGroups = 20

// claimGroup refuses more multicast groups on one interface than its socket can
// join. Otherwise the socket would fail for all instances on the interface.
func (k *taken) claimGroup(t *table, in *Instance) {
	if in.Family != vrrp.IPv4 {
		return
	}
	join := func(key, name string, group netip.Addr) {
		groups := k.groups[name]
		if groups == nil {
			groups = make(map[netip.Addr]bool)
			k.groups[name] = groups
		}
		if groups[group] = true; len(groups) == maxGroups+1 {
			t.failf(key, "is one group too many on %s: Linux lets a socket join at most %d", name, maxGroups)
		}
	}
	if !in.Unicast {
		join("multicast", in.Interface, in.Multicast)
	}
	for i := range in.Also {
		if p := &in.Also[i]; !p.Unicast {
			join("also", p.Name, p.Multicast)
		}
	}
}

func (k *taken) claimDevice(t *table, in *Instance) {
	if in.MAC.Mode == MACInterface || !t.ok("name", "mac", "device", "vrid", "interface", "addresses") {
		return
	}
	if first := k.stations.use(station{in.Interface, in.MAC.Address}, t.where("mac")); first != "" {
		t.failf("mac", "two devices on %s would have the same MAC address, see %s", in.Interface, first)
	}
	if first := k.devices.use(in.Device, t.where("device")); first != "" {
		t.failf("device", "%q is already used at %s: choose another name", in.Device, first)
	}
	if k.parents[in.Device] {
		t.failf("device", "%q is the interface of an instance", in.Device)
	}
	k.claimExtra(t, in)
}
