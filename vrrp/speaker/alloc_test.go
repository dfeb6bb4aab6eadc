package speaker

import (
	"testing"
	"time"

	"holdfast/vrrp"
)

// TestNoAllocationPerAdvert: neither a received nor a sent advert allocates.
func TestNoAllocationPerAdvert(t *testing.T) {
	l := &lan{}
	h := &host{port: l.port("192.0.2.1")}
	s := New(Options{Port: silent{}, Order: func([]Order) {}, Report: func(Report) {}})
	now := time.Now()
	r := h.router("v", 10, 255)
	r.Announce = AnnounceConfig{}
	if err := s.add(now, &Unit{Routers: []Router{r}}); err != nil {
		t.Fatal(err)
	}
	g := s.groups["v"]
	s.perform(now, g, g.Step(now, 0, vrrp.Start{}))
	s.perform(now, g, g.Step(now, 0, vrrp.Claimed{}))
	advert := vrrp.Advert{Version: 3, VRID: 10, Priority: 100, Interval: time.Second, Addresses: r.Config.Addresses}
	peer := vrrp.Packet{Source: l.port("192.0.2.2").own, Destination: vrrp.IPv4.MulticastGroup(), HopLimit: 255}
	peer.Payload = advert.Append(nil, peer.Source, peer.Destination, vrrp.ChecksumPseudo)
	heard := Packet{IfIndex: wireIndex, Packet: peer}
	sent := g.Member(0).Status().Counters.Sent
	allocs := testing.AllocsPerRun(100, func() {
		now = now.Add(time.Second)
		s.elapse(now)
		s.receive(now, &heard)
		s.flush(now)
	})
	if allocs != 0 {
		t.Errorf("%v allocations for an advert sent and one heard", allocs)
	}
	st := g.Member(0).Status()
	if st.State != vrrp.Master || st.Counters.Sent-sent < 100 || st.Counters.Received < 100 {
		t.Errorf("the loop did not do what it was measured for: %+v", st)
	}
}

// silent is a Port on which nothing happens.
type silent struct{}

func (silent) Receive(_ time.Time, into []Packet) ([]Packet, error) { return into, nil }

func (silent) Send([]Frame) []SendError { return nil }

func (silent) Wake() {}
