package netdev

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestLinkUp(t *testing.T) {
	p := newPair(t)
	p.director.enter()
	check := func(name, want string) {
		t.Helper()
		eventually(t, "LinkUp("+name+") is "+want, func() bool {
			p.director.enter()
			err := LinkUp(name)
			return (err == nil && want == "") || (err != nil && err.Error() == want)
		})
	}
	check("eth0", "")
	check("eth7", "interface eth7 does not exist")
	p.neighbour.run("ip link set net0 down")
	check("eth0", "interface eth0 has no carrier")
	p.director.run("ip link set eth0 down")
	check("eth0", "interface eth0 is down")
}

func TestNeighbour(t *testing.T) {
	p := newPair(t)
	look := func(name, addr string, limit time.Duration) error {
		p.director.enter()
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
	p.director.run("ip neigh replace 10.0.0.77 lladdr 02:00:00:00:00:09 dev eth0 nud permanent")
	bad("eth0", "10.0.0.77", "10.0.0.77 does not answer on eth0")
	p.director.run("ip neigh replace 10.0.0.9 lladdr 02:00:00:00:00:55 dev eth0 nud permanent")
	good("10.0.0.9")
	// Without an address of its own the interface can still ask by ARP.
	p.director.run("ip -4 address flush dev eth0")
	p.neighbour.run("ip route add 0.0.0.0/1 dev net0")
	good("10.0.0.9")
	p.director.run("ip -6 address flush dev eth0")
	bad("eth0", "2001:db8::9", "interface eth0 has no link-local IPv6 address to ask from")
	p.neighbour.run("ip link set net0 down")
	eventually(t, "the carrier is lost", func() bool { return strings.Contains(p.director.run("ip link show eth0"), "NO-CARRIER") })
	bad("eth0", "10.0.0.9", "interface eth0 has no carrier")
}

// A look asks three times, evenly spread.
func TestNeighbourAsksAgain(t *testing.T) {
	p := newPair(t)
	tap := newTap(p.neighbour, "net0")
	p.director.enter()
	done := make(chan [][]byte)
	go func() { done <- tap.during(400 * time.Millisecond) }()
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

func TestAnswers(t *testing.T) {
	four, six := netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("2001:db8::9")
	reply, err := GratuitousARP(MAC{2}, four, ARPReply)
	must(t, err)
	request, err := GratuitousARP(MAC{2}, four, ARPRequest)
	must(t, err)
	na, err := UnsolicitedNA(MAC{2}, six, false)
	must(t, err)
	forwarded := append([]byte(nil), na...)
	forwarded[etherLen+7]--
	tests := []struct {
		name  string
		frame []byte
		addr  netip.Addr
		want  bool
	}{
		{"reply", reply, four, true},
		{"request", request, four, false},
		{"of another", reply, netip.MustParseAddr("10.0.0.8"), false},
		{"advertisement", na, six, true},
		{"of another, IPv6", na, netip.MustParseAddr("2001:db8::8"), false},
		{"forwarded", forwarded, six, false},
		{"another family", reply, six, false},
		{"and back", na, four, false},
	}
	for _, tt := range tests {
		if got := answers(tt.frame, tt.addr); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
		for i := range tt.frame[:len(tt.frame)-1] {
			answers(tt.frame[:i], tt.addr) // must not panic
		}
	}
}

func TestRoute(t *testing.T) {
	p := newPair(t)
	p.director.run(`
		ip route add default via 10.0.0.9
		ip route add 10.8.0.0/16 via 10.0.0.9
		ip route add blackhole 10.9.0.0/16
		ip route add 10.10.0.0/16 nexthop via 10.0.0.8 nexthop via 10.0.0.9
		ip route add 10.11.0.0/16 via 10.0.0.9 table 7
		ip -6 route add default via 2001:db8::9
		ip -6 route add 2001:db8:8::/48 via 2001:db8::9
		ip -6 route add unreachable 2001:db8:9::/48`)
	check := func(prefix string, table uint32, via, want string) {
		t.Helper()
		p.director.enter()
		got := ""
		if err := Route(netip.MustParsePrefix(prefix), table, via); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s table %d by %q: got %q, want %q", prefix, table, via, got, want)
		}
	}
	check("0.0.0.0/0", MainTable, "", "")
	check("0.0.0.0/0", MainTable, "eth0", "")
	check("0.0.0.0/0", MainTable, "lo", "no route to 0.0.0.0/0 by lo works")
	check("0.0.0.0/0", MainTable, "eth7", "interface eth7 does not exist")
	check("10.8.0.0/16", MainTable, "", "")
	check("10.8.0.0/24", MainTable, "", "there is no route to 10.8.0.0/24")
	check("10.9.0.0/16", MainTable, "", "no route to 10.9.0.0/16 works")
	check("10.10.0.0/16", MainTable, "eth0", "")
	check("10.11.0.0/16", MainTable, "", "there is no route to 10.11.0.0/16")
	check("10.11.0.0/16", 7, "", "")
	check("::/0", MainTable, "", "")
	check("2001:db8:8::/48", MainTable, "eth0", "")
	check("2001:db8:9::/48", MainTable, "", "no route to 2001:db8:9::/48 works")
	check("2001:db8:7::/48", MainTable, "", "there is no route to 2001:db8:7::/48")

	p.neighbour.run("ip link set net0 down")
	eventually(t, "the carrier is lost", func() bool { return strings.Contains(p.director.run("ip link show eth0"), "NO-CARRIER") })
	check("10.8.0.0/16", MainTable, "", "no route to 10.8.0.0/16 works")
	check("10.10.0.0/16", MainTable, "", "no route to 10.10.0.0/16 works")
}
