package port

import (
	"net/netip"
	"slices"
	"testing"

	"holdfast/netdev/internal/testns"
)

// A port hears the groups that it is told, and joins and leaves them while it
// is open; what goes to another group does not come, whoever else has joined that.
func TestPortJoinsAndLeavesGroups(t *testing.T) {
	p := testns.NewPair(t)
	sender, from := openPort(t, p.Neighbour, "net0")
	port, to := openPort(t, p.Director, "eth0")
	other4, other6 := netip.MustParseAddr("224.0.0.77"), netip.MustParseAddr("ff02::77")
	all := []netip.Addr{group4, other4, group6, other6}
	another, _ := openPort(t, p.Director, "eth0")
	testns.Must(t, another.Open(Listen{Name: "eth0", Index: to, IPv4: true, Groups: all})) // of IPv6 all would be heard
	for _, step := range []struct{ join, hear []netip.Addr }{
		{[]netip.Addr{other4, other6}, []netip.Addr{other4, other6}},
		{[]netip.Addr{other4, group4, other4}, []netip.Addr{group4, other4, group6}},
		{nil, []netip.Addr{group4, group6}},
	} {
		p.Director.Enter()
		testns.Must(t, port.Open(Listen{Name: "eth0", Index: to, IPv4: true, IPv6: true, Groups: step.join}))
		// What must not come is sent first: it would have come by the end.
		unwanted := slices.DeleteFunc(slices.Clone(all), func(g netip.Addr) bool { return slices.Contains(step.hear, g) })
		for _, g := range slices.Concat(unwanted, step.hear) {
			source := source4
			if g.Is6() {
				source = source6
			}
			if _, err := sender.Send([]Frame{{IfIndex: from, Bytes: advert(t, vmac, source, g).Wrap([]byte("advert"))}}); err != nil {
				t.Fatal(err)
			}
		}
		heard := map[netip.Addr]int{}
		for _, packet := range receive(t, port, len(step.hear)) {
			heard[packet.Destination]++
		}
		for _, g := range all {
			if want := slices.Contains(step.hear, g); want && heard[g] != 1 || !want && heard[g] != 0 {
				t.Errorf("joined %v: heard %v", step.join, heard)
			}
		}
	}
}
