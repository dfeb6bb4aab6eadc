package netdev

import (
	"net/netip"
	"slices"
	"testing"

	"holdfast/netdev/internal/testns"
)

// IPv6 addresses that the kernel does not let anybody use are told apart from
// those that do not exist.
func TestUnusableAddresses(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	facts := func() Interface {
		i, err := h.Interface("eth0")
		testns.Must(t, err)
		return i
	}
	before := facts()
	if before.Duplicate != nil || before.Tentative != nil {
		t.Fatalf("at first %v are duplicates and %v tentative", before.Duplicate, before.Tentative)
	}
	p.Director.Set("ipv6/conf/eth0/accept_dad", "1")
	p.Neighbour.Run("ip address add fe80::5/64 dev net0 nodad")
	p.Director.Run("ip address add fe80::5/64 dev eth0")
	testns.Eventually(t, "fe80::5 is a duplicate", func() bool {
		return slices.Equal(facts().Duplicate, []netip.Addr{netip.MustParseAddr("fe80::5")})
	})
	p.Director.Set("ipv6/conf/eth0/dad_transmits", "1000") // a second each
	p.Director.Run("ip address add fe80::6/64 dev eth0")
	after := facts()
	if want := []netip.Addr{netip.MustParseAddr("fe80::6")}; !slices.Equal(after.Tentative, want) {
		t.Errorf("tentative are %v, want %v", after.Tentative, want)
	}
	if !slices.Equal(after.Addresses, before.Addresses) || after.LinkLocal != before.LinkLocal {
		t.Errorf("usable are %v, link-local %v, want %v and %v", after.Addresses, after.LinkLocal, before.Addresses, before.LinkLocal)
	}
}

// The kernel lists an address of scope link before those of scope global.
func TestPrimaryAddressIsGlobal(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	before, err := h.Interface("eth0")
	testns.Must(t, err)
	p.Director.Run("ip address add 192.0.2.77/32 dev eth0 scope link")
	after, err := h.Interface("eth0")
	testns.Must(t, err)
	if len(after.Addresses) != len(before.Addresses)+1 || after.IPv4 != before.IPv4 {
		t.Errorf("the primary address is %v of %v, was %v", after.IPv4, after.Addresses, before.IPv4)
	}
}
