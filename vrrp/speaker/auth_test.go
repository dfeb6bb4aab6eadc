package speaker

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/vrrp"
	"holdfast/vrrp/auth"
)

func withKey(key string) auth.Config {
	return auth.Config{
		Kind: auth.HMAC, Keys: []auth.Key{{ID: 1, Secret: auth.Secret(strings.Repeat(key, 32))}},
		Active: 1, Window: 5 * time.Second,
	}
}

// beginAuth adds and starts a lone router that authenticates. With a second address it
// has a second path, eth1.
func (h *host) beginAuth(t *testing.T, priority uint8, a auth.Config) {
	t.Helper()
	r := h.router("v", 10, priority)
	h.addPath(&r)
	r.Tx.Auth = a
	r.Events = []vrrp.Event{vrrp.Start{}}
	if err := h.Add(Unit{Routers: []Router{r}})[0]; err != nil {
		t.Fatal(err)
	}
}

// Routers with one key elect one MASTER; one with another key is not heard,
// until it gets the right one.
func TestAuthenticatedElection(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a, b, c := l.host(t, "192.0.2.1"), l.host(t, "192.0.2.2"), l.host(t, "192.0.2.3")
		a.beginAuth(t, 200, withKey("k"))
		b.beginAuth(t, 100, withKey("k"))
		c.beginAuth(t, 250, withKey("x"))
		time.Sleep(10 * time.Second)
		if a.state(t, "v") != vrrp.Master || b.state(t, "v") != vrrp.Backup || c.state(t, "v") != vrrp.Master {
			t.Errorf("a %v, b %v, c %v", a.state(t, "v"), b.state(t, "v"), c.state(t, "v"))
		}
		snap, err := b.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if n := snap.Routers["v"].Counters.Dropped; n[vrrp.DropAuth] == 0 || n[vrrp.DropReplay] != 0 {
			t.Errorf("dropped %v", n)
		}
		r := c.router("v", 10, 250)
		r.Tx.Auth = withKey("k")
		if err := c.SetTx("v", r.Tx, r.Announce); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if a.state(t, "v") != vrrp.Backup || c.state(t, "v") != vrrp.Master {
			t.Errorf("with the right key: a %v, c %v", a.state(t, "v"), c.state(t, "v"))
		}
	})
}

// A replayed advert is dropped.
func TestReplayIsDropped(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a, b := l.host(t, "192.0.2.1"), l.host(t, "192.0.2.2")
		a.beginAuth(t, 200, withKey("k"))
		b.beginAuth(t, 100, withKey("k"))
		time.Sleep(10 * time.Second)
		a.port.setCut(true)
		old := l.last(a).bytes
		for range 8 { // keeps b from taking over, if it is believed
			time.Sleep(time.Second)
			b.port.inbox <- Packet{IfIndex: wireIndex, Packet: vrrp.Packet{
				Source: a.port.own, Destination: vrrp.IPv4.MulticastGroup(), HopLimit: 255, Payload: old}}
		}
		if b.state(t, "v") != vrrp.Master {
			t.Error("a replayed advert was believed")
		}
	})
}

// An advert that was recorded on one path is dropped on another, also when it came there
// never before.
func TestReplayOnOtherPathIsDropped(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a, b := l.host(t, "192.0.2.1"), l.host(t, "192.0.2.2")
		a.port.also, b.port.also = netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")
		a.beginAuth(t, 200, withKey("k"))
		b.beginAuth(t, 100, withKey("k"))
		time.Sleep(10500 * time.Millisecond) // between two adverts
		a.port.setCut(true)
		sent := l.sightings()
		for i, source := range []netip.Addr{a.port.also, a.port.own} { // the last two are one advert, on both paths
			b.port.inbox <- Packet{IfIndex: wireIndex + i, Packet: vrrp.Packet{
				Source: source, Destination: vrrp.IPv4.MulticastGroup(), HopLimit: 255, Payload: sent[len(sent)-1-i].bytes}}
		}
		time.Sleep(time.Second)
		snap := b.snapshot(t)
		for i, p := range snap.Router("v").Paths {
			if n := p.Dropped[vrrp.DropReplay]; n != 1 || p.Received == 0 {
				t.Errorf("path %d: %d of %d adverts dropped as replayed, want 1; all drops %v", i, n, p.Received, p.Dropped)
			}
		}
	})
}

// An advert that was recorded on a path which a reload took away is dropped on the path
// that is left, and where it came from when that path is back: also after an upgrade.
func TestReplayOfFormerPathIsDropped(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a, b := l.host(t, "192.0.2.1"), l.host(t, "192.0.2.2")
		a.port.also, b.port.also = netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")
		a.beginAuth(t, 200, withKey("k"))
		b.beginAuth(t, 100, withKey("k"))
		time.Sleep(10500 * time.Millisecond) // between two adverts
		a.port.setCut(true)
		sent := l.sightings()
		replay := func(h *host, index int, want uint64) {
			t.Helper()
			h.port.inbox <- Packet{IfIndex: index, Packet: vrrp.Packet{
				Source: a.port.also, Destination: vrrp.IPv4.MulticastGroup(), HopLimit: 255, Payload: sent[len(sent)-1].bytes}}
			synctest.Wait()
			snap := h.snapshot(t)
			if n := snap.Router("v").Counters.Dropped[vrrp.DropReplay]; n != want {
				t.Errorf("%d adverts dropped as replayed, want %d", n, want)
			}
		}
		reload := func(also []PathTx) {
			t.Helper()
			tx := b.router("v", 10, 100).Tx
			tx.Auth, tx.Also = withKey("k"), also
			if err := b.SetTx("v", tx, AnnounceConfig{}); err != nil {
				t.Fatal(err)
			}
		}
		r := b.router("v", 10, 100)
		b.addPath(&r)
		reload(nil)
		replay(b, wireIndex, 1)
		snap, err := b.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		reload(r.Tx.Also)
		replay(b, wireIndex+1, 2)
		heir := l.host(t, "192.0.2.2")
		next := heir.router("v", 10, 100)
		next.Tx.Auth, next.Marks = withKey("k"), snap.Routers["v"].Marks
		if err := heir.Add(Unit{Routers: []Router{next}})[0]; err != nil {
			t.Fatal(err)
		}
		replay(heir, wireIndex, 1)
	})
}

// A program that continues for another one sends greater numbers than that, and
// remembers whom it has heard.
func TestSequenceNumbersAreHandedOn(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a, b := l.host(t, "192.0.2.1"), l.host(t, "192.0.2.2")
		a.beginAuth(t, 200, withKey("k"))
		b.beginAuth(t, 100, withKey("k"))
		time.Sleep(10 * time.Second)
		old := l.last(a).bytes
		next := func(h *host, address string) *host {
			snap, err := h.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			n := l.host(t, address)
			r := n.router("v", 10, snap.Routers["v"].Config.Priority)
			r.Tx.Auth, r.Marks = withKey("k"), snap.Routers["v"].Marks
			r.Events = []vrrp.Event{snap.Routers["v"].Resume}
			if n.Add(Unit{Routers: []Router{r}})[0] != nil || h.Drop("v") != nil {
				t.Fatal("not handed on")
			}
			return n
		}
		later, heard := next(a, "192.0.2.1"), next(b, "192.0.2.2")
		later.port.setCut(true)
		for range 8 { // keeps the other from taking over, if it is believed
			heard.port.inbox <- Packet{IfIndex: wireIndex, Packet: vrrp.Packet{
				Source: a.port.own, Destination: vrrp.IPv4.MulticastGroup(), HopLimit: 255, Payload: old}}
			time.Sleep(time.Second)
		}
		if heard.state(t, "v") != vrrp.Master {
			t.Error("an advert from before was believed")
		}
	})
}

// Adverts with a number each do not allocate either.
func TestNoAllocationPerAuthenticatedAdvert(t *testing.T) {
	l := &lan{}
	h := &host{port: l.port("192.0.2.1")}
	s := New(Options{Port: silent{}, Order: func([]Order) {}, Report: func(Report) {}})
	now := time.Now()
	r := h.router("v", 10, 200)
	r.Announce, r.Tx.Auth = AnnounceConfig{}, withKey("k")
	if err := s.add(now, &Unit{Routers: []Router{r}}); err != nil {
		t.Fatal(err)
	}
	g := s.groups["v"]
	s.perform(now, g, g.Step(now, 0, vrrp.Start{}))
	now = now.Add(10 * time.Second)
	s.perform(now, g, g.Step(now, 0, vrrp.Elapsed{}))
	s.perform(now, g, g.Step(now, 0, vrrp.Claimed{}))
	peer := auth.New(withKey("k"), vrrp.IPv4, 3, 10, nil)
	advert := vrrp.Advert{Version: 3, VRID: 10, Priority: 100, Interval: time.Second, Addresses: r.Config.Addresses}
	src := netip.MustParseAddr("192.0.2.2")
	heard := Packet{IfIndex: wireIndex, Packet: vrrp.Packet{Source: src, Destination: vrrp.IPv4.MulticastGroup(), HopLimit: 255}}
	buffer := make([]byte, 0, 256)
	sent := g.Member(0).Status().Counters
	allocs := testing.AllocsPerRun(100, func() {
		now = now.Add(time.Second)
		heard.Payload = peer.Seal(advert.Append(buffer, src, vrrp.IPv4.MulticastGroup(), 0), now, src)
		s.elapse(now)
		s.receive(now, &heard)
		s.flush(now)
	})
	if allocs != 0 {
		t.Errorf("%v allocations for an advert sent and one heard", allocs)
	}
	st := g.Member(0).Status()
	if st.State != vrrp.Master || st.Counters.Sent-sent.Sent < 100 || st.Counters.Received-sent.Received < 100 {
		t.Errorf("the loop did not do what it was measured for: %+v", st)
	}
}
