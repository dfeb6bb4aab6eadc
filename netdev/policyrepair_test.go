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

// repaired are the texts of what Reconcile did.
func repaired(n *testns.NS, h *Host) []string {
	var all []string
	for _, r := range reconcile(n, h) {
		all = append(all, r.Text)
	}
	return all
}

// whys are what keeps the routes and rules of a device away.
func whys(h *Host, name string) []string {
	var all []string
	for _, s := range h.Policies(name) {
		all = append(all, s.Why)
	}
	return all
}

func event(route string, table uint32) policy.Event {
	return policy.Event{Prefix: netip.MustParsePrefix(route), Table: table}
}

// A place that somebody else has is left to him, and taken when he goes.
func TestPolicyForeign(t *testing.T) {
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	via, to := netip.MustParseAddr("10.0.0.9"), netip.MustParsePrefix("10.9.0.0/16")
	s := spec4()
	s.Routes = []policy.Route{{To: to, Via: via, Device: "eth0", Table: 7}, {To: to, Via: via, Device: "eth0", Table: 7, Metric: 5}}
	s.Rules = []policy.Rule{{From: netip.MustParsePrefix("10.0.0.100/32"), Table: 7, Priority: 1000}}
	// A rule has its place beside theirs.
	p.Director.Run("ip route add 10.9.0.0/16 via 10.0.0.7 dev eth0 table 7 proto static\nip rule add priority 1000 from 10.0.0.100 lookup 7")
	theirs := "a route via 10.0.0.7 by eth0 of protocol static has its place"
	look := func(what string, present bool, why string) {
		t.Helper()
		got, err := policy.Look(s.Routes, s.Rules)
		testns.Must(t, err)
		if len(got) != 3 || got[0] != (policy.State{Text: s.Routes[0].String(), Why: why}) || got[1].Present != present || got[2].Present != present {
			t.Errorf("%s: %+v", what, got)
		}
	}
	look("before", false, theirs)
	claimed(t, h, s)
	look("claimed", true, theirs)
	check := func(what string, want ...string) {
		t.Helper()
		if got := whys(h, s.Name); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	check("claimed", theirs, "", "")
	if got := repaired(p.Director, h); got != nil {
		t.Errorf("repairs where others have the place: %q", got)
	}
	testns.Must(t, h.Release(s.Name))
	p.Director.Enter()
	if got := p.Director.Run("ip route show table 7\nip rule show"); !strings.Contains(got, "10.0.0.7") || !strings.Contains(got, "1000:") {
		t.Errorf("what others put there has gone with the release:\n%s", got)
	}
	testns.Must(t, h.Claim(s.Name))

	p.Director.Run("ip route del 10.9.0.0/16 via 10.0.0.7 table 7\nip rule del priority 1000 protocol 112")
	e := event("10.9.0.0/16", 7)
	if e.Gone = true; !h.RouteConcerns(e) || !h.RouteConcerns(policy.Event{Gone: true}) {
		t.Error("that their route and our rule have gone is of no concern")
	}
	want := []string{"add " + s.Routes[0].String(), "add " + s.Rules[0].String()}
	if got := repaired(p.Director, h); !slices.Equal(got, want) {
		t.Errorf("repairs: %q, want %q", got, want)
	}
	check("they have gone", "", "", "")

	// Somebody makes ours his.
	p.Director.Run("ip route change 10.9.0.0/16 via 10.0.0.8 dev eth0 table 7")
	if h.RouteConcerns(event("10.9.0.0/16", 8)) || h.RouteConcerns(event("10.8.0.0/16", 7)) {
		t.Error("another route is of concern")
	}
	if !h.RouteConcerns(event("10.9.0.0/16", 7)) {
		t.Error("that ours was changed is of no concern")
	}
	if got := repaired(p.Director, h); got != nil {
		t.Errorf("what somebody else changed is fought for: %q", got)
	}
	check("changed", "a route via 10.0.0.8 by eth0 of protocol boot has its place", "", "")
	testns.Must(t, h.Release(s.Name))
	if got := p.Director.Run("ip route show table 7"); !strings.Contains(got, "10.0.0.8") || strings.Contains(got, "metric 5") {
		t.Errorf("after the release:\n%s", got)
	}
}

// What the kernel takes away with a device, a carrier or an address comes back,
// and a way that has changed its index is led anew.
func TestPolicyFlushed(t *testing.T) {
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
	s := spec4()
	s.Routes = []policy.Route{
		{To: prefix("10.9.0.0/16"), Table: policy.MainTable, Source: addr("10.0.0.100")},
		{To: prefix("10.8.0.0/16"), Via: addr("10.0.0.9"), Device: "up0", Table: 7},
		{To: prefix("2001:db8:7::/48"), Table: 7, Hops: []policy.Hop{
			{Via: addr("fe80::9"), Device: "eth0"}, {Via: addr("fe80::9"), Device: "up0"},
		}},
	}
	claimed(t, h, s)
	absent := "interface up0 does not exist"
	if got := whys(h, s.Name); !slices.Equal(got, []string{"", absent, absent}) {
		t.Errorf("before the interface exists: %q", got)
	}
	texts := func(at ...int) (all []string) {
		for _, i := range at {
			all = append(all, "add "+s.Routes[i].String())
		}
		return all
	}
	comes := "ip link add up0 type veth peer name up1\nip link set up0 up\nip link set up1 up"
	p.Director.Run(comes)
	if got, want := repaired(p.Director, h), texts(1, 2); !slices.Equal(got, want) {
		t.Errorf("the interface has come: %q, want %q", got, want)
	}
	p.Director.Run("ip link set vrrp4-51 down")
	if got, want := repaired(p.Director, h), texts(0); !slices.Equal(got[len(got)-1:], want) {
		t.Errorf("the device was down: %q, want %q", got, want)
	}
	p.Director.Run("ip address del 10.0.0.100/24 dev vrrp4-51")
	if got, want := repaired(p.Director, h), texts(0); !slices.Equal(got[len(got)-1:], want) {
		t.Errorf("the address was gone: %q, want %q", got, want)
	}
	p.Director.Run("ip link del up0\n" + comes)
	want := append(texts(1), "replace "+s.Routes[2].String())
	if got := repaired(p.Director, h); !slices.Equal(got, want) {
		t.Errorf("the interface is another: %q, want %q", got, want)
	}
	if got := p.Director.Run("ip route show table 7\nip -6 route show table 7"); strings.Contains(got, "dead") || strings.Count(got, "up0") != 2 {
		t.Errorf("ways that lead nowhere:\n%s", got)
	}
	if got := repaired(p.Director, h); got != nil {
		t.Errorf("repairs of what is well: %q", got)
	}
	h.Doubt()
	if got := repaired(p.Director, h); got != nil {
		t.Errorf("repairs of what is well, looked at again: %q", got)
	}
}

// Two devices that want one route have it until neither does; a reload changes
// a route in its place.
func TestPolicyShared(t *testing.T) {
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	route := policy.Route{To: netip.MustParsePrefix("10.9.0.0/16"), Via: netip.MustParseAddr("10.0.0.9"), Device: "eth0", Table: 7}
	first, second := spec4(), spec4()
	second.Name, second.MAC, second.Addresses = "vrrp4-52", frame.MAC{0, 0, 0x5e, 0, 1, 52}, addresses("10.0.0.102/24")
	first.Routes, second.Routes = []policy.Route{route}, []policy.Route{route}
	claimed(t, h, first)
	claimed(t, h, second)
	has := func(what, want string) {
		t.Helper()
		if got := p.Director.Run("ip route show table 7"); strings.TrimSpace(got) != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	line := "10.9.0.0/16 via 10.0.0.9 dev eth0 proto 112 onlink"
	testns.Must(t, h.Release("vrrp4-51"))
	has("one released", line)
	testns.Must(t, h.Release("vrrp4-52"))
	has("both released", "")

	testns.Must(t, h.Claim("vrrp4-51", "vrrp4-52"))
	other := route
	other.Via = netip.MustParseAddr("10.0.0.8")
	second.Routes = []policy.Route{other}
	ensure(t, h, second)
	if got := whys(h, "vrrp4-52"); len(got) != 1 || got[0] == "" {
		t.Errorf("two that want different routes in one place: %q", got)
	}
	has("the first has it", line)
	testns.Must(t, h.Remove("vrrp4-52"))
	first.Routes = []policy.Route{other}
	ensure(t, h, first)
	has("changed", "10.9.0.0/16 via 10.0.0.8 dev eth0 proto 112 onlink")

	// A run that comes after a crash changes what it finds, and does not take
	// it away first.
	h.conn.Close()
	h = openHost(t, p.Director, t.TempDir())
	first.Keep, first.Routes = true, []policy.Route{route}
	ensure(t, h, first)
	has("after a crash", line)
}

func claimed(t *testing.T, h *Host, s Spec) {
	t.Helper()
	_, err := h.Ensure(s)
	testns.Must(t, err)
	testns.Must(t, h.Claim(s.Name))
}
