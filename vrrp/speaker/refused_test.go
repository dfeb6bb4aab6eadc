package speaker

import (
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/vrrp"
)

var strangers = netip.MustParseAddr("192.0.2.100")

// advertise puts one advert on a host's port, as a router with the address would
// send it.
func (h *host) advertise(source netip.Addr, a vrrp.Advert) {
	to := vrrp.IPv4.MulticastGroup()
	h.port.inbox <- Packet{IfIndex: wireIndex, Packet: vrrp.Packet{
		Source: source, Destination: to, HopLimit: 255, Payload: a.Append(nil, source, to, vrrp.ChecksumPseudo),
	}}
	synctest.Wait()
}

// rivals returns the reports about refused speakers.
func (h *host) rivals() []Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.reports), func(r Report) bool { return r.Verb != vrrp.Rival || r.Drop == vrrp.DropNone })
}

func (h *host) refused(t *testing.T, name string) ([]RefusedSpeaker, uint64) {
	t.Helper()
	snap, err := h.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return snap.Routers[name].Refused, snap.Routers[name].RefusedForgotten
}

// restricted is a host whose router accepts adverts of 192.0.2.9 only.
func restricted(t *testing.T, l *lan) *host {
	t.Helper()
	h := l.host(t, "192.0.2.1")
	r := h.router("v", 10, 200)
	r.Config.Peers = []vrrp.PeerConfig{{Address: netip.MustParseAddr("192.0.2.9")}}
	r.Events = []vrrp.Event{vrrp.Start{}}
	if err := h.Add(Unit{Routers: []Router{r}})[0]; err != nil {
		t.Fatal(err)
	}
	return h
}

// A router whose adverts are refused is known by its address and the reason. It is
// a rival while both are MASTER, and each rivalry is reported once.
func TestRefusedSpeakerIsARival(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		h := restricted(t, l)
		stranger := vrrp.Advert{Version: 3, VRID: 10, Priority: 150, Interval: time.Second, Addresses: h.router("v", 10, 1).Config.Addresses}
		for range 3 { // while we are BACKUP
			h.advertise(strangers, stranger)
			time.Sleep(time.Second)
		}
		list, _ := h.refused(t, "v")
		if len(list) != 1 || list[0].Source != strangers || list[0].Reason != vrrp.DropPeer || list[0].Count != 3 ||
			list[0].Priority != 150 || !list[0].Advertises || list[0].Last.Sub(list[0].Since) != 2*time.Second {
			t.Fatalf("refused: %+v", list)
		}
		if got := h.rivals(); len(got) != 0 {
			t.Fatalf("a BACKUP reports %+v", got)
		}
		for range 10 { // until we are MASTER, and beyond
			h.advertise(strangers, stranger)
			time.Sleep(time.Second)
		}
		if h.state(t, "v") != vrrp.Master {
			t.Fatal("the refused adverts keep us from being MASTER")
		}
		got := h.rivals()
		if len(got) != 1 || got[0].Gone || got[0].Peer.Address != strangers || got[0].Drop != vrrp.DropPeer || got[0].To != vrrp.Master ||
			!strings.Contains(got[0].Why, "192.0.2.100 (priority 150)") || !strings.Contains(got[0].Why, "not one of the configured peers") {
			t.Fatalf("the rival is reported as %+v", got)
		}
		time.Sleep(3 * time.Second)
		got = h.rivals()
		if len(got) != 2 || !got[1].Gone || got[1].Peer.Address != strangers {
			t.Fatalf("the rival's end is reported as %+v", got)
		}
		if list, _ = h.refused(t, "v"); list[0].Advertises || list[0].Count != 13 {
			t.Errorf("afterwards it is known as %+v", list)
		}
		for range 3 {
			h.advertise(strangers, stranger)
			time.Sleep(time.Second)
		}
		stranger.Priority = vrrp.PriorityStop
		h.advertise(strangers, stranger)
		if got = h.rivals(); len(got) != 4 || got[2].Gone || !got[3].Gone {
			t.Fatalf("after it came back and stopped: %+v", got)
		}
	})
}

// The end of our own mastership ends the rivalry, and nothing is left to be done.
func TestRefusedSpeakerAfterStop(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		h := restricted(t, l)
		time.Sleep(5 * time.Second)
		for range 3 {
			h.advertise(strangers, vrrp.Advert{Version: 3, VRID: 10, Priority: 150, Interval: time.Second, Addresses: h.router("v", 10, 1).Config.Addresses})
			time.Sleep(time.Second)
		}
		if err := h.Stop("v"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		got := h.rivals()
		if len(got) != 2 || !got[1].Gone || got[1].To != vrrp.Init || got[1].Why != "v is INIT now" {
			t.Errorf("reports: %+v", got)
		}
	})
}

// A speaker is no refused one any more as soon as one of its adverts is accepted.
func TestRefusedSpeakerIsAccepted(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		h := restricted(t, l)
		time.Sleep(5 * time.Second)
		peer := netip.MustParseAddr("192.0.2.9")
		advert := vrrp.Advert{Version: 2, VRID: 10, Priority: 150, Interval: time.Second, Addresses: h.router("v", 10, 1).Config.Addresses}
		for range 3 {
			h.advertise(peer, advert)
			time.Sleep(time.Second)
		}
		if got := h.rivals(); len(got) != 1 || got[0].Gone || got[0].Drop != vrrp.DropVersion {
			t.Fatalf("before: %+v", got)
		}
		advert.Version = 3
		h.advertise(peer, advert)
		got := h.rivals()
		if len(got) != 2 || !got[1].Gone || got[1].Why != "adverts from 192.0.2.9 are accepted now" {
			t.Errorf("after: %+v", got)
		}
		if list, _ := h.refused(t, "v"); len(list) != 1 || list[0].Advertises {
			t.Errorf("it is known as %+v", list)
		}
	})
}

// The pace of a speaker is its own: ten adverts a second at our one a second, or the
// other way round. Copies of one advert are no adverts in a row.
func TestRefusedPace(t *testing.T) {
	var table refusedTable
	now := time.Now()
	own := time.Second
	when := func(interval, gap time.Duration) int {
		table = refusedTable{}
		for i := 1; i <= 20; i++ {
			table.add(now, strangers, vrrp.DropVersion, &vrrp.Advert{Priority: 1, Interval: interval}, own)
			if table.list[0].Advertises {
				return i
			}
			now = now.Add(gap)
		}
		return 0
	}
	for _, c := range []struct {
		interval, gap time.Duration
		want          int
	}{
		{time.Second, time.Second, 3},
		{100 * time.Millisecond, 100 * time.Millisecond, 3},
		{40 * time.Second, 40 * time.Second, 3},
		{40 * time.Second, 121 * time.Second, 0},
		{0, time.Second, 3},
		{time.Second, time.Millisecond, 0},
		{time.Second, 4 * time.Second, 0},
	} {
		if got := when(c.interval, c.gap); got != c.want {
			t.Errorf("interval %v, an advert each %v: MASTER from advert %d on, want %d", c.interval, c.gap, got, c.want)
		}
	}
}

// Every reason for which adverts are refused is recorded and put in words.
func TestRefusedReasons(t *testing.T) {
	source := netip.MustParseAddr("192.0.2.9")
	base := vrrp.Advert{Version: 2, VRID: 10, Priority: 150, Interval: time.Second}
	for _, c := range []struct {
		name   string
		change func(c *vrrp.Config)
		advert func(p *Packet, a *vrrp.Advert)
		want   vrrp.Drop
		text   string
	}{
		{"version", func(c *vrrp.Config) { c.Version = 3 }, nil, vrrp.DropVersion, "they are not of version 3"},
		{"interval", nil, func(_ *Packet, a *vrrp.Advert) { a.Interval = 3 * time.Second }, vrrp.DropInterval, "their interval is 3s, and 1s is configured here"},
		{"authentication", nil, func(_ *Packet, a *vrrp.Advert) { a.AuthType = 1 }, vrrp.DropAuthType, "another authentication type"},
		{"hop limit", nil, func(p *Packet, _ *vrrp.Advert) { p.HopLimit = 254 }, vrrp.DropHopLimit, "crossed a router"},
		{"addresses", func(c *vrrp.Config) { c.AddressCheck = vrrp.AddressDrop }, func(_ *Packet, a *vrrp.Advert) { a.Addresses = nil }, vrrp.DropAddresses, "other addresses"},
		{"unicast", func(c *vrrp.Config) { c.Unicast = true; c.Peers = []vrrp.PeerConfig{{Address: source}} }, nil, vrrp.DropDestination, "unicast is configured here"},
		{"malformed", nil, func(p *Packet, _ *vrrp.Advert) { p.Payload = []byte{0x21, 10, 150} }, vrrp.DropLength, "malformed (length)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &host{port: (&lan{}).port("192.0.2.1")}
			s := New(Options{Port: silent{}, Order: func([]Order) {}, Report: func(Report) {}, Log: slog.New(slog.DiscardHandler)})
			r := h.router("v", 10, 200)
			r.Config.Version = 2
			if c.change != nil {
				c.change(&r.Config)
			}
			now := time.Now()
			if err := s.add(now, &Unit{Routers: []Router{r}}); err != nil {
				t.Fatal(err)
			}
			a, to := base, vrrp.IPv4.MulticastGroup()
			a.Addresses = r.Config.Addresses
			p := Packet{IfIndex: wireIndex, Packet: vrrp.Packet{Source: source, Destination: to, HopLimit: 255}}
			if c.advert != nil {
				c.advert(&p, &a)
			}
			if p.Payload == nil {
				p.Payload = a.Append(nil, source, to, vrrp.ChecksumPseudo)
			}
			for i := range 3 {
				s.receive(now.Add(time.Duration(i)*3*time.Second), &p)
			}
			list := s.copyNow(now).Routers["v"].Refused
			if len(list) != 1 || list[0].Reason != c.want || !strings.Contains(list[0].Problem, c.text) || list[0].Priority != 150 || !list[0].Advertises {
				t.Errorf("refused: %+v, want %v: %s", list, c.want, c.text)
			}
		})
	}
}

// However many sources there are, sixteen are remembered, a rival is not pushed
// out, nothing is allocated for a packet, and reports are few.
func TestRefusedFlood(t *testing.T) {
	h := &host{port: (&lan{}).port("192.0.2.1")}
	reports := 0
	s := New(Options{Port: silent{}, Order: func([]Order) {}, Report: func(r Report) {
		if r.Verb == vrrp.Rival {
			reports++
		}
	}, Log: slog.New(slog.DiscardHandler)})
	r := h.router("v", 10, 200)
	r.Config.Peers = []vrrp.PeerConfig{{Address: netip.MustParseAddr("192.0.2.9")}}
	r.Events = []vrrp.Event{vrrp.Start{}}
	now := time.Now()
	if err := s.add(now, &Unit{Routers: []Router{r}}); err != nil {
		t.Fatal(err)
	}
	s.elapse(now.Add(5 * time.Second))
	s.answered(now.Add(5*time.Second), Order{Router: "v", Verb: vrrp.Claim, Seq: s.seq}, vrrp.Claimed{})
	now = now.Add(5 * time.Second)

	to := vrrp.IPv4.MulticastGroup()
	a := vrrp.Advert{Version: 3, VRID: 10, Priority: 150, Interval: time.Second, Addresses: r.Config.Addresses}
	packet := func(source netip.Addr) Packet {
		return Packet{IfIndex: wireIndex, Packet: vrrp.Packet{Source: source, Destination: to, HopLimit: 255, Payload: a.Append(nil, source, to, vrrp.ChecksumPseudo)}}
	}
	rival := packet(strangers)
	for range 3 {
		s.receive(now, &rival)
		now = now.Add(time.Second)
		s.elapse(now)
		s.flush(now)
	}
	if reports != 1 {
		t.Fatalf("%d reports of one rival", reports)
	}
	source := netip.MustParseAddr("10.0.0.0")
	flood := make([]Packet, 1000)
	for i := range flood {
		flood[i] = packet(source)
		source = source.Next()
	}
	n := 0
	if allocs := testing.AllocsPerRun(20000, func() { s.receive(now, &flood[n%1000]); n++ }); allocs != 0 {
		t.Errorf("%v allocations for a refused packet", allocs)
	}
	st := s.copyNow(now).Routers["v"]
	if len(st.Refused) != maxRefused || st.RefusedForgotten < 19000 ||
		!slices.ContainsFunc(st.Refused, func(sp RefusedSpeaker) bool { return sp.Source == strangers && sp.Advertises }) {
		t.Errorf("%d speakers are remembered, %d forgotten: %+v", len(st.Refused), st.RefusedForgotten, st.Refused)
	}
	// Sources that keep their addresses become rivals, as many as are remembered,
	// and come and go: reports stay few.
	for round := range 100 {
		for i := range 15 {
			s.receive(now, &flood[i])
		}
		for range 1 + 10*(round%10/9) { // a pause after every tenth round
			now = now.Add(time.Second)
			s.elapse(now)
			s.flush(now)
		}
	}
	if st := s.copyNow(now).Routers["v"]; st.Machine.State != vrrp.Master {
		t.Fatalf("the router is %v: %s", st.Machine.State, st.Machine.Why)
	}
	if most := 2*(refusedReports+int(200*time.Second/refusedPause)) + 2; reports > most || reports < 10 {
		t.Errorf("%d reports in 200 s, want 10 to %d", reports, most)
	}
}
