package netdev

import (
	"net/netip"
	"testing"
	"time"

	"holdfast/netdev/internal/testns"
)

// Who has claimed an address keeps what comes for it, from then on.
func TestClaimedIsLocal(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	p.Director.Set("ipv6/conf/all/forwarding", "1")
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	lan := Spec{Name: "lan", Parent: "eth0", Addresses: addresses("2001:db8::77/64")}
	ensure(t, h, spec6(), lan)
	for _, name := range []string{"vrrp6-51", "lan"} {
		index := h.devices[name].index
		for range 20 {
			testns.Must(t, h.Claim(name))
			for _, a := range h.devices[name].spec.Addresses {
				if !isLocal(h.conn, index, a.Prefix.Addr()) {
					t.Errorf("%s: %v is not local", name, a.Prefix.Addr())
				}
			}
			testns.Must(t, h.Release(name))
		}
		if isLocal(h.conn, index, netip.MustParseAddr("2001:db8::100")) {
			t.Error("the released address is local: the test tests nothing")
		}
	}
}

// What the kernel refuses, or what a rule of somebody's keeps from being local,
// is not waited for: who has nothing to do with it would wait too.
func TestClaimWaitsForNothing(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(n *testns.NS){
		"refused": func(n *testns.NS) { n.Set("ipv6/conf/vrrp6-51/disable_ipv6", "1") },
		"never local": func(n *testns.NS) {
			n.Run(`
				ip -6 route add blackhole 2001:db8::/32 table 77
				ip -6 rule add pref 100 lookup local
				ip -6 rule del pref 0
				ip -6 rule add pref 50 lookup 77`)
		},
	} {
		p := testns.NewPair(t)
		h := openHost(t, p.Director, t.TempDir())
		h.localLimit = 20 * time.Second
		defer h.Close()
		ensure(t, h, spec6())
		spoil(p.Director)
		begin := time.Now()
		testns.Must(t, h.Claim("vrrp6-51"))
		if took := time.Since(begin); took >= h.localLimit {
			t.Errorf("%s: a claim takes %v", name, took)
		}
	}
}

// What the kernel has not taken notice of yet is waited for, also where that was in
// vain before: on a busy machine it is late again and again.
func TestLateLocal(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec6())
	testns.Must(t, h.Claim("vrrp6-51"))
	p.Director.Run("ip -6 route del local 2001:db8::100 dev vrrp6-51 table local") // as if it had not come to that
	p.Director.Enter()
	h.localLimit = 5 * localBrief
	for range 2 {
		begin := time.Now()
		h.awaitLocal([]string{"vrrp6-51"}, localLimit)
		if took := time.Since(begin); took < h.localLimit {
			t.Errorf("it was waited for no longer than %v", took)
		}
	}
	// Where nobody serves it is not worth much.
	h.localLimit = localLimit
	begin := time.Now()
	testns.Must(t, h.ClaimInParts(func([]Part) {}, "vrrp6-51"))
	if took := time.Since(begin); took < localUnserved || took >= localLimit {
		t.Errorf("it was waited for %v, and nobody served", took)
	}
	testns.Must(t, h.Release("vrrp6-51"))
	testns.Must(t, h.Claim("vrrp6-51"))
	h.awaitLocal([]string{"vrrp6-51"}, localLimit)
	if !isLocal(h.conn, h.devices["vrrp6-51"].index, netip.MustParseAddr("2001:db8::100")) {
		t.Error("a claimed address is not local")
	}
}
