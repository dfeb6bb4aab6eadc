package conf

import (
	"holdfast/vrrp"
)

// bare reports whether an instance has no virtual address at all. Then only
// scripts, routes and rules give its mastership an effect.
func (in *Instance) bare() bool { return len(in.Prefixes)+len(in.Excluded) == 0 }

// visitFamily determines the family of the adverts: that of the addresses in
// them, or without such addresses the key family.
func (in *Instance) visitFamily(t *table) {
	if t.reading() || len(in.Prefixes) == 0 {
		field(t, "family", &in.Family, ruleFamily, vrrp.IPv4)
	}
	if t.reading() && len(in.Prefixes) > 0 {
		t.forbid("with addresses, because they determine it", "family")
		in.Family = vrrp.FamilyOf(in.Prefixes[0].Addr())
	}
}

// resolveBare refuses keys that have no effect without addresses. There is no
// macvlan without addresses.
func (in *Instance) resolveBare(t *table) {
	if in.MAC.Mode != MACInterface && t.has("mac") && t.ok("mac") {
		t.failf("mac", `must be "interface" for an instance without addresses`)
	}
	if !in.Accept {
		t.failf("accept", "has no effect without addresses")
	}
	in.MAC = MAC{Mode: MACInterface}
	t.forbid("without addresses", "garp")
}
