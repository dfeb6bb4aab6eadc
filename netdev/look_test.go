package netdev

import (
	"net/netip"
	"strings"
	"testing"

	"holdfast/netdev/internal/testns"
	"holdfast/netdev/policy"
)

func TestLinkUp(t *testing.T) {
	p := testns.NewPair(t)
	p.Director.Enter()
	check := func(name, want string) {
		t.Helper()
		testns.Eventually(t, "LinkUp("+name+") is "+want, func() bool {
			p.Director.Enter()
			err := LinkUp(name)
			return (err == nil && want == "") || (err != nil && err.Error() == want)
		})
	}
	check("eth0", "")
	check("eth7", "interface eth7 does not exist")
	p.Neighbour.Run("ip link set net0 down")
	check("eth0", "interface eth0 has no carrier")
	p.Director.Run("ip link set eth0 down")
	check("eth0", "interface eth0 is down")
}

func TestRoute(t *testing.T) {
	p := testns.NewPair(t)
	p.Director.Run(`
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
		p.Director.Enter()
		got := ""
		if err := policy.Usable(netip.MustParsePrefix(prefix), table, via); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s table %d by %q: got %q, want %q", prefix, table, via, got, want)
		}
	}
	check("0.0.0.0/0", policy.MainTable, "", "")
	check("0.0.0.0/0", policy.MainTable, "eth0", "")
	check("0.0.0.0/0", policy.MainTable, "lo", "no route to 0.0.0.0/0 by lo works")
	check("0.0.0.0/0", policy.MainTable, "eth7", "interface eth7 does not exist")
	check("10.8.0.0/16", policy.MainTable, "", "")
	check("10.8.0.0/24", policy.MainTable, "", "there is no route to 10.8.0.0/24")
	check("10.9.0.0/16", policy.MainTable, "", "no route to 10.9.0.0/16 works")
	check("10.10.0.0/16", policy.MainTable, "eth0", "")
	check("10.11.0.0/16", policy.MainTable, "", "there is no route to 10.11.0.0/16")
	check("10.11.0.0/16", 7, "", "")
	check("::/0", policy.MainTable, "", "")
	check("2001:db8:8::/48", policy.MainTable, "eth0", "")
	check("2001:db8:9::/48", policy.MainTable, "", "no route to 2001:db8:9::/48 works")
	check("2001:db8:7::/48", policy.MainTable, "", "there is no route to 2001:db8:7::/48")

	p.Neighbour.Run("ip link set net0 down")
	testns.Eventually(t, "the carrier is lost", func() bool { return strings.Contains(p.Director.Run("ip link show eth0"), "NO-CARRIER") })
	check("10.8.0.0/16", policy.MainTable, "", "no route to 10.8.0.0/16 works")
	check("10.10.0.0/16", policy.MainTable, "", "no route to 10.10.0.0/16 works")
}
