package bfd

import (
	"net/netip"
	"testing"
)

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
		eventually(t, "the stranger's session is up", func() (any, bool) { st := statuses(other)[far.Name]; return st, st.State == Up })
		other.Close()
		for len(met) > 0 {
			<-met
		}
	}
	s.Listen(nil, func(m Stranger) { t.Errorf("met %+v after the end of listening", m) })
	other, _ := there.speak()
	far, _ := user("again", single("", "10.0.0.1", "10.0.0.78", "eth0"))
	other.Add(far)
	eventually(t, "packets of a stranger nobody wants", func() (any, bool) { st := statuses(other)["again"]; return st, st.Sent > 2 })
}
