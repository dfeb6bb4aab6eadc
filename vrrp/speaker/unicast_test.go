package speaker

import (
	"net/netip"
	"testing"
	"time"

	"holdfast/vrrp"
)

// A router that speaks unicast sends each peer an advert of its own, with the
// checksum for that peer, and nothing to the group; without a way to its peers
// it is silent.
func TestUnicastGoesToEachPeer(t *testing.T) {
	h := &host{port: (&lan{}).port("192.0.2.1")}
	s := New(Options{Port: silent{}, Order: func([]Order) {}, Report: func(Report) {}})
	now := time.Now()
	peers := []netip.Addr{netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")}
	r := h.router("v", 10, 255)
	r.Config.Unicast = true
	for _, p := range peers {
		r.Config.Peers = append(r.Config.Peers, vrrp.PeerConfig{Address: p})
	}
	r.Tx.Wrap = func([]byte) []byte { t.Error("sent to the group"); return nil }
	if err := s.add(now, &Unit{Routers: []Router{r}}); err != nil {
		t.Fatal(err)
	}
	g := s.groups["v"]
	s.queueAdvert(now, g.routers[0], 255)
	if len(s.frames) != 0 {
		t.Errorf("%d frames without a way to the peers", len(s.frames))
	}
	for _, p := range peers {
		r.Tx.Peers = append(r.Tx.Peers, PeerTx{Address: p, Wrap: func(b []byte) []byte { return b }})
	}
	g.routers[0].tx = r.Tx
	for _, c := range []struct {
		priority uint8
		key      bool
	}{{255, false}, {0, false}, {255, true}, {0, true}} {
		if c.key {
			g.routers[0].tx.Auth = withKey("k")
		}
		g.routers[0].refresh()
		s.frames = s.frames[:0]
		s.queueAdvert(now, g.routers[0], c.priority)
		if len(s.frames) != len(peers) {
			t.Fatalf("priority %d, key %v: %d frames for %d peers", c.priority, c.key, len(s.frames), len(peers))
		}
		for i, f := range s.frames {
			var a vrrp.Advert
			drop := vrrp.Decode(vrrp.Packet{Source: h.port.own, Destination: peers[i], HopLimit: 255, Payload: f.Bytes}, &a)
			if drop != vrrp.DropNone || a.Priority != c.priority || !f.Routed || f.IfIndex != wireIndex {
				t.Errorf("priority %d, key %v: to %v: dropped for %q, routed %v, %+v", c.priority, c.key, peers[i], drop, f.Routed, a)
			}
		}
	}
}
