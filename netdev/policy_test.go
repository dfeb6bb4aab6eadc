package netdev

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"holdfast/netdev/frame"
	"holdfast/netdev/internal/testns"
	"holdfast/netdev/policy"
)

// policySpec is a device whose VIP answers by the virtual MAC alone.
func policySpec() Spec {
	vip := netip.MustParsePrefix("10.0.0.100/24")
	return Spec{
		Name: "vrrp4-51", Parent: "eth0", MAC: frame.MAC{0, 0, 0x5e, 0, 1, 51}, Addresses: []Address{{Prefix: vip}},
		Routes: []policy.Route{
			{To: netip.MustParsePrefix("10.0.0.0/24"), Table: 7, Source: vip.Addr()},
			{To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.0.0.9"), Table: 7, Metric: 5},
			{To: netip.MustParsePrefix("10.9.0.0/16"), Via: netip.MustParseAddr("10.0.0.9"), Device: "eth0", Table: policy.MainTable},
			{To: netip.MustParsePrefix("10.8.0.0/16"), Device: "eth7", Table: policy.MainTable}, // is not there
		},
		Rules: []policy.Rule{
			{From: netip.PrefixFrom(vip.Addr(), 32), Table: 7, Priority: 1000},
			{To: netip.MustParsePrefix("10.20.0.0/16"), Interface: "eth0", Mark: 3, Table: 7, Priority: 1001},
		},
	}
}

func TestPolicy(t *testing.T) {
	p := testns.NewPair(t)
	p.Director.Enter()
	h, err := OpenHost(Options{RuntimeDir: t.TempDir()})
	testns.Must(t, err)
	want := []string{
		"default via 10.0.0.9 dev vrrp4-51 table 7 proto 112 metric 5 onlink",
		"10.0.0.0/24 dev vrrp4-51 table 7 proto 112 scope 253 src 10.0.0.100",
		"10.9.0.0/16 via 10.0.0.9 dev eth0 proto 112 onlink",
		"1000: from 10.0.0.100 lookup 7 proto 112",
		"1001: from all to 10.20.0.0/16 fwmark 0x3 iif eth0 lookup 7 proto 112",
	}
	check := func(what string, there bool) {
		t.Helper()
		got := spaces(p.Director.Run("ip -N route show table all\nip -N rule show"))
		for _, line := range want {
			if has := strings.Contains(got, line); has != there {
				t.Errorf("%s: %q is there: %v, in\n%s", what, line, has, got)
			}
		}
	}
	reconcile := func() (all []string) {
		t.Helper()
		p.Director.Enter()
		repairs, err := h.Reconcile()
		testns.Must(t, err)
		for _, r := range repairs {
			all = append(all, r.String())
		}
		return all
	}
	_, err = h.Ensure(policySpec())
	testns.Must(t, err)
	check("bare", false)
	testns.Must(t, h.Claim("vrrp4-51"))
	check("claimed", true)
	if got := reconcile(); len(got) != 0 {
		t.Errorf("repairs of what nobody changed: %q", got)
	}

	// What others take away comes back; what they put there stays.
	p.Director.Run("ip route del 10.9.0.0/16\nip rule del priority 1000\nip rule add priority 1002 from 10.0.0.100 lookup 7")
	wantRepairs := []string{"vrrp4-51: add route 10.9.0.0/16 via 10.0.0.9 dev eth0 table 254", "vrrp4-51: add rule 1000 from 10.0.0.100/32 table 7"}
	if got := reconcile(); !slices.Equal(got, wantRepairs) {
		t.Errorf("repairs: %q", got)
	}
	check("repaired", true)

	testns.Must(t, h.Mute("vrrp4-51"))
	check("muted", true)
	testns.Must(t, h.Release("vrrp4-51"))
	check("released", false)
	if got := p.Director.Run("ip rule show"); !strings.Contains(got, "1002:") {
		t.Errorf("somebody else's rule has gone:\n%s", got)
	}
	if got := reconcile(); len(got) != 0 {
		t.Errorf("repairs after the release: %q", got)
	}

	// A reload that takes a route away.
	testns.Must(t, h.Claim("vrrp4-51"))
	less := policySpec()
	less.Routes, less.Rules = less.Routes[:2], less.Rules[1:]
	_, err = h.Ensure(less)
	testns.Must(t, err)
	if got := p.Director.Run("ip -N route show") + p.Director.Run("ip rule show"); strings.Contains(got, "10.9.0.0/16") || strings.Contains(got, "1000:") {
		t.Errorf("what the configuration has no more is there:\n%s", got)
	}
	_, err = h.Ensure(policySpec())
	testns.Must(t, err)
	check("ensured while claimed", true)
	testns.Must(t, h.Close())
	check("closed", false)
}

// What a crash left is taken away at the next start.
func TestPolicyAfterCrash(t *testing.T) {
	p := testns.NewPair(t)
	p.Director.Enter()
	dir := t.TempDir()
	h, err := OpenHost(Options{RuntimeDir: dir})
	testns.Must(t, err)
	s := policySpec()
	s.Routes = append(s.Routes, policy.Route{To: netip.MustParsePrefix("2001:db8:9::/48"), Via: netip.MustParseAddr("2001:db8::9"), Device: "eth0", Table: 8})
	s.Rules = append(s.Rules, policy.Rule{IPv6: true, Interface: "eth0", Table: 8, Priority: 1003})
	_, err = h.Ensure(s)
	testns.Must(t, err)
	testns.Must(t, h.Claim("vrrp4-51"))
	show := func() string {
		p.Director.Enter()
		return p.Director.Run("ip -N route show table all") + p.Director.Run("ip -N -6 route show table all") +
			p.Director.Run("ip rule show") + p.Director.Run("ip -6 rule show")
	}
	for _, want := range []string{"2001:db8:9::/48 via 2001:db8::9 dev eth0 table 8", "1003:"} {
		if got := show(); !strings.Contains(got, want) {
			t.Fatalf("%s is not in\n%s", want, got)
		}
	}
	h.conn.Close() // the process ends
	h, err = OpenHost(Options{RuntimeDir: dir})
	testns.Must(t, err)
	s.Routes, s.Rules = nil, s.Rules[:1] // and the configuration is another
	_, err = h.Ensure(s)
	testns.Must(t, err)
	_, err = h.Sweep()
	testns.Must(t, err)
	got := show()
	for _, gone := range []string{"10.9.0.0/16", "2001:db8:9::", "1000:", "1001:", "1003:"} {
		if strings.Contains(got, gone) {
			t.Errorf("%s is left in\n%s", gone, got)
		}
	}
	testns.Must(t, h.Close())
}

func spaces(s string) string { return strings.Join(strings.Fields(s), " ") }
