package vrrp

import (
	"net/netip"
	"testing"
	"time"
)

// The reason of a group in FAULT names the member whose fault it is, once: also where another
// member moved last because of it.
func TestGroupNamesTheFault(t *testing.T) {
	member := func(name string, vrid uint8) Config {
		return Config{Name: name, Family: IPv4, Version: 3, VRID: vrid, Priority: 100, Interval: time.Second,
			Preempt: true, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.100")}}
	}
	g := NewGroup("both", member("outside", 10), member("inside", 11))
	g.Step(epoch, 1, Faulted{Key: "address", Problem: "it has no address"})
	var reasons []string
	for i := range 2 {
		for _, a := range g.Step(epoch, i, Start{}) {
			if a.Member == WholeGroup && a.Action.To == Fault {
				reasons = append(reasons, a.Action.Why)
			}
		}
	}
	if len(reasons) != 1 || reasons[0] != "inside: it has no address" {
		t.Errorf("the reasons of the group: %q", reasons)
	}
}
