package netdev

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"holdfast/netdev/internal/testns"
)

// watching runs a Watcher in n. The functions that it returns wait until the
// conflicts of h are as wanted: "kind device interface address". The second one
// also waits for an event that h heeds, which somebody else's change must cause.
func watching(t *testing.T, n *testns.NS, h *Host) (are, become func(what string, want ...string)) {
	t.Helper()
	n.Enter()
	w, err := OpenWatcher(slog.New(slog.DiscardHandler))
	testns.Must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	events := make(chan Event, 1000)
	running.Go(func() { _ = w.Run(ctx, func(e Event) { events <- e }) })
	t.Cleanup(func() { cancel(); running.Wait() })
	heeded := false
	await := func(needed bool, what string, want []string) {
		t.Helper()
		var got []string
		testns.Eventually(t, what, func() bool {
			for len(events) > 0 {
				heeded = h.Heeds(<-events) || heeded
			}
			got = nil
			for _, c := range h.Conflicts(w) {
				address := ""
				if c.Address.IsValid() {
					address = c.Address.String()
				}
				got = append(got, strings.TrimSpace(strings.Join([]string{c.Kind, c.Device, c.Interface, address}, " ")))
			}
			return slices.Equal(got, want) && (heeded || !needed)
		})
		heeded = false
	}
	are = func(what string, want ...string) { t.Helper(); await(false, what, want) }
	become = func(what string, want ...string) { t.Helper(); await(true, what, want) }
	return are, become
}

// A virtual address on another interface is a conflict as soon as it is there,
// with whatever prefix length, and none when it is gone.
func TestAddressConflicts(t *testing.T) {
	p := testns.NewPair(t)
	p.Director.Run("ip link add name eth1 type veth peer name peer1\nip address add 10.0.0.101/8 dev eth1\nip link set eth1 up")
	h := openHost(t, p.Director, t.TempDir())
	s := spec4()
	s.Addresses = append(s.Addresses, addresses("2001:db8::100/64")...)
	are, become := watching(t, p.Director, h)
	are("no device is known")
	p.Director.Enter()
	ensure(t, h, s)
	are("it was there before", "address vrrp4-51 eth1 10.0.0.101/8")
	p.Director.Run("ip address add 10.0.0.100/32 dev eth0")
	become("added", "address vrrp4-51 eth0 10.0.0.100/32", "address vrrp4-51 eth1 10.0.0.101/8")
	p.Director.Run("ip address del 10.0.0.101/8 dev eth1\nip address add 2001:db8::100/128 dev eth0 nodad")
	become("IPv6", "address vrrp4-51 eth0 10.0.0.100/32", "address vrrp4-51 eth0 2001:db8::100/128")
	p.Director.Run("ip address del 10.0.0.100/32 dev eth0\nip address del 2001:db8::100/128 dev eth0\nip address add 10.0.0.100/32 dev lo")
	are("removed, and one on lo")
	p.Director.Enter()
	testns.Must(t, h.Claim(s.Name))
	are("claimed")
}

// In interface mode an address that was on the interface before is a conflict,
// unless the router is the address owner.
func TestAddressConflictsInInterfaceMode(t *testing.T) {
	p := testns.NewPair(t)
	p.Director.Run("ip address add 10.0.0.100/24 dev eth0")
	h := openHost(t, p.Director, t.TempDir())
	are, _ := watching(t, p.Director, h)
	s := Spec{Name: "eth0/lan", Parent: "eth0", Addresses: addresses("10.0.0.100/24", "10.0.0.101/24")}
	p.Director.Enter()
	ensure(t, h, s)
	testns.Must(t, h.Claim(s.Name))
	are("theirs and ours", "address eth0/lan eth0 10.0.0.100/24")
	s.Owner = true
	p.Director.Enter()
	ensure(t, h, s)
	are("of the owner")
}

// A macvlan with our MAC that is not ours is a conflict on the same wire.
func TestMACConflicts(t *testing.T) {
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	ensure(t, h, spec4())
	are, become := watching(t, p.Director, h)
	are("our own device is none")
	p.Director.Run("ip link add name eth1 type veth peer name peer1")
	p.Director.Run("ip link add link eth1 name far address 00:00:5e:00:01:33 type macvlan mode bridge")
	are("another wire")
	p.Director.Run("ip link add link eth0 name near address 00:00:5e:00:01:33 type macvlan mode bridge")
	become("the same wire", "mac vrrp4-51 near")
	p.Director.Run("ip link del near")
	are("gone")
}
