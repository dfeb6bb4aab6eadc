package director

import (
	"net/netip"
	"testing"

	"holdfast/conf"
	"holdfast/netdev"
	"holdfast/vrrp"
)

// diagnose says what is wrong with an interface, and whether an advert of priority 0
// can still be sent on it.
func TestDiagnose(t *testing.T) {
	const now = "interface eth0 does not exist; it is called wan0 now"
	addrs := func(list ...string) (all []netip.Addr) {
		for _, s := range list {
			all = append(all, netip.MustParseAddr(s))
		}
		return all
	}
	own, other := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")
	up := netdev.Interface{Name: "eth0", Index: 7, MTU: 1500, Admin: true, Up: true, IPv4: own, Addresses: []netip.Prefix{netip.PrefixFrom(own, 24)}}
	for name, c := range map[string]struct {
		change func(*instance)
		key    string
		want   vrrp.Faulted
	}{
		"well":            {func(*instance) {}, faultLink, vrrp.Faulted{}},
		"gone":            {func(in *instance) { in.facts = netdev.Interface{} }, faultLink, vrrp.Faulted{Problem: "interface eth0 does not exist", WireLost: true}},
		"renamed":         {func(in *instance) { in.facts.Name = "wan0" }, faultLink, vrrp.Faulted{Problem: now}},
		"renamed, cut":    {func(in *instance) { in.facts.Name, in.facts.Up = "wan0", false }, faultLink, vrrp.Faulted{Problem: now, WireLost: true}},
		"renamed, down":   {func(in *instance) { in.facts.Name, in.facts.Up, in.facts.Admin = "wan0", false, false }, faultLink, vrrp.Faulted{Problem: now, WireLost: true}},
		"down":            {func(in *instance) { in.facts.Up, in.facts.Admin = false, false }, faultLink, vrrp.Faulted{Problem: "interface eth0 is down", WireLost: true}},
		"cut":             {func(in *instance) { in.facts.Up = false }, faultLink, vrrp.Faulted{Problem: "interface eth0 has no carrier", WireLost: true}},
		"cut, not minded": {func(in *instance) { in.facts.Up, in.conf.TrackLink = false, false }, faultLink, vrrp.Faulted{}},
		"bare":            {func(in *instance) { in.facts.IPv4 = netip.Addr{} }, faultAddress, vrrp.Faulted{Problem: "interface eth0 has no IPv4 address of its own"}},
		"another address": {func(in *instance) { in.conf.Source = other }, faultAddress, vrrp.Faulted{
			Problem: "interface eth0 does not have the address 10.0.0.3, which adverts are to come from"}},
		"tentative": {func(in *instance) {
			in.conf.Family, in.facts.Tentative = vrrp.IPv6, addrs("2001:db8::2", "fe80::2")
			in.facts.Duplicate = addrs("fe80::3")
		}, faultAddress, vrrp.Faulted{
			Problem: "interface eth0 cannot use its address fe80::2 yet: it is tentative, because duplicate address detection is not over"}},
		"duplicate": {func(in *instance) {
			in.conf.Family, in.facts.Duplicate = vrrp.IPv6, addrs("2001:db8::2", "fe80::2")
		}, faultAddress, vrrp.Faulted{
			Problem: "interface eth0 cannot use its address fe80::2: another host on the link has it (dadfailed)"}},
		"other addresses are duplicates": {func(in *instance) {
			in.conf.Family, in.facts.Duplicate, in.facts.Tentative = vrrp.IPv6, addrs("2001:db8::2"), addrs("2001:db8::3")
		}, faultAddress, vrrp.Faulted{Problem: "interface eth0 has no link-local IPv6 address of its own"}},
		"the source is a duplicate": {func(in *instance) {
			in.conf.Family, in.conf.Source = vrrp.IPv6, netip.MustParseAddr("2001:db8::2")
			in.facts.Duplicate = addrs("fe80::2", "2001:db8::2")
		}, faultAddress, vrrp.Faulted{
			Problem: "interface eth0 cannot use its address 2001:db8::2: another host on the link has it (dadfailed)"}},
		"another extra interface renamed": {func(in *instance) {
			in.conf.Extra = []conf.ExtraInterface{{Interface: "eth1"}}
			in.extra = map[string]netdev.Interface{"eth1": {Name: "lan0", Index: 8, Admin: true, Up: true}}
		}, faultLink + ":eth1", vrrp.Faulted{Problem: "interface eth1, where it has addresses, does not exist; it is called lan0 now"}},
	} {
		in := &instance{conf: &conf.Instance{}, facts: up}
		in.conf.Interface, in.conf.Family, in.conf.TrackLink = "eth0", vrrp.IPv4, true
		c.change(in)
		if c.want.Problem != "" {
			c.want.Key = c.key
		}
		faults := diagnose(in)
		if got := faults[c.key]; got != c.want || len(faults) > 1 {
			t.Errorf("%s: %+v, want %+v", name, faults, c.want)
		}
	}
}
