package bfd

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"holdfast/integration/tools"
)

// The BACKUPs on all wires of a new MASTER come together, and all are told of. Of a flood
// on one wire a few are, and no fewer on the other wires.
func TestStrangerQuota(t *testing.T) {
	var met []string
	s := NewSpeaker(Options{})
	s.wires = map[rxKey]*quota{{device: "eth0"}: {}, {device: "eth1"}: {}}
	arrive := func(wire string, source byte, after time.Duration) {
		d := Datagram{Interface: wire, Source: netip.AddrFrom4([4]byte{10, 0, 0, source}), TTL: HopLimit, Arrived: epoch.Add(after)}
		s.meet(&d, &Packet{State: Down}, func(m Stranger) { met = append(met, fmt.Sprint(m.Interface, " ", m.Source.As4()[3])) })
	}
	for source := range byte(20) {
		arrive("eth0", source, 0)
	}
	arrive("eth1", 1, 0)
	arrive("eth0", 21, 9*ms)
	arrive("eth0", 22, 10*ms)
	arrive("eth0", 23, 11*ms)
	want := []string{"eth0 0", "eth0 1", "eth0 2", "eth0 3", "eth0 4", "eth0 5", "eth0 6", "eth0 7", "eth1 1", "eth0 22"}
	if !slices.Equal(met, want) {
		t.Errorf("told of %q, want %q", met, want)
	}
}

// A speaker that listens on a wire is told of a router there that wants a session, and
// can have one with it.
func TestStranger(t *testing.T) {
	here, there := newLAN(t)
	s, _ := here.speak()
	met := make(chan Stranger, 100)
	s.Listen([]Wire{{Interface: "eth0"}, {Interface: "eth0", V6: true}}, func(m Stranger) { met <- m })
	for _, tt := range []struct{ neighbour, source string }{
		{"10.0.0.1", "10.0.0.2"},
		{"fe80::1", "fe80::2"},
	} {
		far, _ := user("far "+tt.source, single("", tt.neighbour, tt.source, "eth0"))
		other, _ := there.speak()
		other.Add(far)
		m := <-met
		want := Stranger{Interface: "eth0", Source: netip.MustParseAddr(tt.source), Ours: netip.MustParseAddr(tt.neighbour)}
		if m != want {
			t.Errorf("met %+v, want %+v", m, want)
		}
		near, _ := user("near "+tt.source, single("", tt.source, tt.neighbour, "eth0"))
		s.Add(near)
		tools.Await(t, "the stranger's session is up", func() (any, bool) { st := statuses(other)[far.Name]; return st, st.State == Up })
		other.Close()
		for len(met) > 0 {
			<-met
		}
	}
	s.Listen(nil, func(m Stranger) { t.Errorf("met %+v after the end of listening", m) })
	other, _ := there.speak()
	far, _ := user("again", single("", "10.0.0.1", "10.0.0.78", "eth0"))
	other.Add(far)
	tools.Await(t, "packets of a stranger nobody wants", func() (any, bool) { st := statuses(other)["again"]; return st, st.Sent > 2 })
}
