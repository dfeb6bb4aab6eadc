package conf

import (
	"holdfast/vrrp"
)

// bare reports whether an instance carries no address at all, so that its
// mastership is for scripts and routes to make something of.
func (in *Instance) bare() bool { return len(in.Prefixes)+len(in.Excluded) == 0 }

// visitFamily finds out which family an instance speaks: that of its addresses
// or, without any in the adverts, the one that the file names.
func (in *Instance) visitFamily(t *table) {
	if t.reading() || len(in.Prefixes) == 0 {
		field(t, "family", &in.Family, ruleFamily, vrrp.IPv4)
	}
	if t.reading() && len(in.Prefixes) > 0 {
		t.forbid("with addresses, because they determine it", "family")
		in.Family = vrrp.FamilyOf(in.Prefixes[0].Addr())
	}
}

// resolveBare refuses what has no effect without addresses. No macvlan is made.
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
