package port

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"holdfast/netdev/internal/testns"
)

func TestNeighbour(t *testing.T) {
	p := testns.NewPair(t)
	look := func(name, addr string, limit time.Duration) error {
		p.Director.Enter()
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		return Neighbour(ctx, name, netip.MustParseAddr(addr))
	}
	good := func(addr string) {
		t.Helper()
		if err := look("eth0", addr, 5*time.Second); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
	bad := func(name, addr, want string) {
		t.Helper()
		start := time.Now()
		if err := look(name, addr, 90*time.Millisecond); err == nil || err.Error() != want {
			t.Errorf("%s on %s: got %v, want %s", addr, name, err, want)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %v", took)
		}
	}
	good("10.0.0.9")
	good("2001:db8::9")
	bad("eth0", "10.0.0.77", "10.0.0.77 does not answer on eth0")
	bad("eth0", "2001:db8::77", "2001:db8::77 does not answer on eth0")
	bad("eth7", "10.0.0.9", "interface eth7 does not exist")
	bad("lo", "10.0.0.9", "interface lo is not Ethernet")
	// The kernel's own entry does not matter: neither good nor bad.
	p.Director.Run("ip neigh replace 10.0.0.77 lladdr 02:00:00:00:00:09 dev eth0 nud permanent")
	bad("eth0", "10.0.0.77", "10.0.0.77 does not answer on eth0")
	p.Director.Run("ip neigh replace 10.0.0.9 lladdr 02:00:00:00:00:55 dev eth0 nud permanent")
	good("10.0.0.9")
	// Without an address of its own the interface can still ask by ARP.
	p.Director.Run("ip -4 address flush dev eth0")
	p.Neighbour.Run("ip route add 0.0.0.0/1 dev net0")
	good("10.0.0.9")
	p.Director.Run("ip -6 address flush dev eth0")
	bad("eth0", "2001:db8::9", "interface eth0 has no link-local IPv6 address to ask from")
	p.Neighbour.Run("ip link set net0 down")
	testns.Eventually(t, "the carrier is lost", func() bool { return strings.Contains(p.Director.Run("ip link show eth0"), "NO-CARRIER") })
	bad("eth0", "10.0.0.9", "interface eth0 has no carrier")
}

// A look asks three times, evenly spread.
func TestNeighbourAsksAgain(t *testing.T) {
	p := testns.NewPair(t)
	tap := testns.NewTap(p.Neighbour, "net0")
	p.Director.Enter()
	done := make(chan [][]byte)
	go func() { done <- tap.During(400 * time.Millisecond) }()
	ctx, cancel := context.WithTimeout(context.Background(), 150*time.Millisecond)
	defer cancel()
	if err := Neighbour(ctx, "eth0", netip.MustParseAddr("10.0.0.77")); err == nil {
		t.Error("nobody is there")
	}
	asked := 0
	for _, f := range <-done {
		if len(f) >= 42 && f[12] == 8 && f[13] == 6 {
			asked++
		}
	}
	if asked != askTimes {
		t.Errorf("asked %d times, want %d", asked, askTimes)
	}
}
