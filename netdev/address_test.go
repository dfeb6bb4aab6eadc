package netdev

import (
	"net/netip"
	"strings"
	"testing"

	"holdfast/netdev/frame"
	"holdfast/netdev/internal/testns"
)

// shown are the lines of `ip -o address` for an interface, by address.
func addressesOf(n *testns.NS, name string) map[string]string {
	lines := map[string]string{}
	for line := range strings.Lines(n.Run("ip -o address show dev " + name)) {
		if words := strings.Fields(line); len(words) > 3 {
			lines[words[3]] = strings.Join(words[4:], " ")
		}
	}
	return lines
}

// An address is put on as the spec says, is put on anew when the spec says
// otherwise, and when somebody made something else of it.
func TestAddressesAreOnAsTheSpecSays(t *testing.T) {
	for _, mode := range []string{"macvlan", "interface"} {
		t.Run(mode, func(t *testing.T) {
			p := testns.NewPair(t)
			h := openHost(t, p.Director, t.TempDir())
			defer h.Close()
			s := Spec{Name: "vrrp4-51", Parent: "eth0", MAC: vmac, IPv6: true}
			on := s.Name
			if mode == "interface" {
				s.Name, s.MAC, on = "eth0/outside", frame.MAC{}, "eth0"
			}
			s.Addresses = []Address{
				{Prefix: netip.MustParsePrefix("10.5.0.1/24"), Label: "eth0:vip", Scope: 253, Broadcast: netip.MustParseAddr("10.5.0.255")},
				{Prefix: netip.MustParsePrefix("10.6.0.1/24"), PrefixRoute: PrefixRouteNever},
				{Prefix: netip.MustParsePrefix("10.0.0.77/24"), PrefixRoute: PrefixRouteAlways},
				{Prefix: netip.MustParsePrefix("2001:db8:5::1/64"), Preferred: true},
				{Prefix: netip.MustParsePrefix("2001:db8:5::2/64")},
			}
			ensure(t, h, s)
			testns.Must(t, h.Claim(s.Name))
			expect := func(want map[string]string) {
				t.Helper()
				have := addressesOf(p.Director, on)
				for address, words := range want {
					for _, word := range strings.Split(words, ", ") {
						without := strings.HasPrefix(word, "no ")
						if strings.Contains(have[address], strings.TrimPrefix(word, "no ")) == without {
							t.Errorf("%s: want %s, have %q", address, word, have[address])
						}
					}
				}
			}
			expect(map[string]string{
				"10.5.0.1/24":      "brd 10.5.0.255, scope link, eth0:vip, no noprefixroute",
				"10.6.0.1/24":      "scope global, " + on + "\\, noprefixroute, no brd",
				"10.0.0.77/24":     "scope global, no noprefixroute",
				"2001:db8:5::1/64": "no deprecated, nodad",
				"2001:db8:5::2/64": "deprecated, nodad",
			})
			if r := reconcile(p.Director, h); len(r) > 0 {
				t.Errorf("repaired %v", r)
			}

			s.Addresses[0].Label, s.Addresses[0].Scope, s.Addresses[0].Broadcast = "", 0, netip.Addr{}
			s.Addresses[1].PrefixRoute, s.Addresses[3].Preferred, s.Addresses[4].Preferred = PrefixRouteAlways, false, true
			p.Director.Enter()
			ensure(t, h, s)
			expect(map[string]string{
				"10.5.0.1/24":      "no brd, scope global, no eth0:vip",
				"10.6.0.1/24":      "no noprefixroute",
				"2001:db8:5::1/64": "deprecated",
				"2001:db8:5::2/64": "no deprecated",
			})
			for _, own := range []string{"label eth0:own", "label " + on + " scope link", "label " + on + " brd 10.5.0.255"} {
				p.Director.Run("ip address del 10.5.0.1/24 dev " + on + "\nip address add 10.5.0.1/24 dev " + on + " " + own +
					"\nip address change 2001:db8:5::2/64 dev " + on + " preferred_lft 0")
				if r := reconcile(p.Director, h); len(r) != 4 {
					t.Errorf("%s: repaired %v", own, r)
				}
				expect(map[string]string{"10.5.0.1/24": "no eth0:own, no brd, scope global", "2001:db8:5::2/64": "no deprecated"})
			}
			testns.Must(t, h.Release(s.Name))
			for address := range addressesOf(p.Director, on) {
				if strings.HasPrefix(address, "10.5.") || strings.HasPrefix(address, "2001:db8:5:") {
					t.Errorf("%s is still on", address)
				}
			}
		})
	}
}
