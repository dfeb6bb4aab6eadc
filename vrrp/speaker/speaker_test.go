package speaker

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/vrrp"
)

// skew is the skew time of a priority at the tests' interval of one second.
func skew(priority int) time.Duration { return time.Duration(256-priority) * time.Second / 256 }

func TestFailoverTakesTheMasterDownInterval(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a, b := l.host(t, "192.0.2.1"), l.host(t, "192.0.2.2")
		a.begin(t, "", 200, "v")
		b.begin(t, "", 100, "v")
		time.Sleep(10 * time.Second)
		if a.state(t, "v") != vrrp.Master || b.state(t, "v") != vrrp.Backup {
			t.Fatalf("after the election: a %v, b %v", a.state(t, "v"), b.state(t, "v"))
		}
		time.Sleep(300 * time.Millisecond) // some phase of the interval
		a.port.setCut(true)
		last := l.last(a).at
		time.Sleep(10 * time.Second)
		r := b.transition(t, "v", vrrp.Master)
		want := last.Add(3*time.Second + skew(100) + b.claimTime)
		if !r.At.Equal(want) {
			t.Errorf("b took over %v after the last advert, want %v", r.At.Sub(last), want.Sub(last))
		}
		if !strings.HasPrefix(r.Why, "no advert from 192.0.2.1 for 3.609") {
			t.Errorf("reason %q", r.Why)
		}
	})
}

// last returns the last frame that the host sent before now.
func (l *lan) last(h *host) sighting {
	for _, s := range slices.Backward(l.sightings()) {
		if s.from == h.port.own && len(s.bytes) > 1 {
			return s
		}
	}
	return sighting{}
}

// TestPlannedStopOverlaps: the old MASTER serves until the new one's advert arrives.
func TestPlannedStopOverlaps(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a, b := l.host(t, "192.0.2.1"), l.host(t, "192.0.2.2")
		a.begin(t, "", 200, "v")
		b.begin(t, "", 100, "v")
		time.Sleep(10 * time.Second)
		stopped := time.Now()
		if err := a.Stop("v"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		took := b.transition(t, "v", vrrp.Master)
		if want := stopped.Add(skew(100) + b.claimTime); !took.At.Equal(want) {
			t.Errorf("b took over after %v, want %v", took.At.Sub(stopped), want.Sub(stopped))
		}
		if muted := a.when(t, "v", vrrp.Mute); !muted.Equal(stopped) {
			t.Errorf("a fell silent %v after the stop", muted.Sub(stopped))
		}
		if release := a.when(t, "v", vrrp.Release); release.Sub(took.At) != 20*time.Millisecond {
			t.Errorf("a let go %v after b had taken over", release.Sub(took.At))
		}
		if err := a.Remove("v"); err != nil {
			t.Errorf("a did not report the stop: %v", err)
		}
	})
}

// TestStopWithoutSuccessor: no router takes over, and the wait for one is bounded.
func TestStopWithoutSuccessor(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a := l.host(t, "192.0.2.1")
		a.begin(t, "", 200, "v")
		time.Sleep(10 * time.Second)
		stopped := time.Now()
		if err := a.Stop("v"); err != nil {
			t.Fatal(err)
		}
		if err := a.Remove("v"); err == nil {
			t.Error("removed while it still serves")
		}
		time.Sleep(3 * time.Second)
		if release := a.when(t, "v", vrrp.Release); release.Sub(stopped) != 1050*time.Millisecond {
			t.Errorf("let go after %v", release.Sub(stopped))
		}
		if l.last(a).at.After(stopped) {
			t.Error("an advert was sent after the one with priority 0")
		}
	})
}

// TestGroupClaimsAtOnce: the claims of all members are one batch, and a stop
// of the MASTER heard on one side counts for both.
func TestGroupClaimsAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a := l.host(t, "192.0.2.1")
		a.begin(t, "director", 200, "outside", "inside")
		time.Sleep(5 * time.Second)
		if orders := a.ordered(); len(orders) != 2 || orders[0].batch != orders[1].batch {
			t.Errorf("the claims did not come together: %+v", orders)
		}
		snap, err := a.Snapshot()
		if err != nil || snap.Groups["director"].State != vrrp.Master {
			t.Errorf("group %+v, %v", snap.Groups["director"], err)
		}
	})
}

// TestGroupFaultMovesBothMembers: a dead link on one side moves the other
// side too, after the skew time alone.
func TestGroupFaultMovesBothMembers(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a, b := l.host(t, "192.0.2.1"), l.host(t, "192.0.2.2")
		a.begin(t, "director", 200, "outside", "inside")
		b.begin(t, "director", 100, "outside", "inside")
		time.Sleep(10 * time.Second)
		lost := time.Now()
		if err := a.Deliver("outside", vrrp.Faulted{Key: "link", Problem: "eth0 is down", WireLost: true}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		for _, name := range []string{"outside", "inside"} {
			took := b.transition(t, name, vrrp.Master)
			if want := lost.Add(skew(100) + b.claimTime); took.At.After(want.Add(time.Millisecond)) {
				t.Errorf("%s moved after %v", name, took.At.Sub(lost))
			}
		}
		if why := a.transition(t, "inside", vrrp.Fault).Why; why != "outside: eth0 is down" {
			t.Errorf("inside faulted because of %q", why)
		}
	})
}

// TestAnswerToOvertakenOrder: a claim that was taken back does not make a
// MASTER when its answer comes.
func TestAnswerToOvertakenOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a, b := l.host(t, "192.0.2.1"), l.host(t, "192.0.2.2")
		a.claimTime = -1 // never by itself
		a.begin(t, "", 100, "v")
		time.Sleep(5 * time.Second)
		claim := a.ordered()[0].Order
		b.begin(t, "", 255, "v") // the owner speaks at once
		time.Sleep(time.Second)
		a.Answer(claim, nil)
		time.Sleep(time.Second)
		if got := a.state(t, "v"); got != vrrp.Backup {
			t.Errorf("state %v after a stale answer", got)
		}
	})
}

func TestFailedClaimFaultsAndIsRetried(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a := l.host(t, "192.0.2.1")
		a.claimTime = -1
		a.begin(t, "", 100, "v")
		time.Sleep(5 * time.Second)
		a.Answer(a.ordered()[0].Order, errors.New("no such device"))
		synctest.Wait()
		if r := a.transition(t, "v", vrrp.Fault); r.Why != "no such device" {
			t.Errorf("reason %q", r.Why)
		}
		time.Sleep(10 * time.Second)
		var verbs []vrrp.Verb
		for _, o := range a.ordered() {
			verbs = append(verbs, o.Verb)
		}
		// What the failed claim got half-way is taken off before the retry.
		if want := []vrrp.Verb{vrrp.Claim, vrrp.Release, vrrp.Claim}; !slices.Equal(verbs, want) {
			t.Errorf("ordered %v, want %v", verbs, want)
		}
	})
}

// TestAnnouncements: three rounds ten milliseconds apart at the takeover, and
// as many five seconds later.
func TestAnnouncements(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a := l.host(t, "192.0.2.1")
		a.begin(t, "", 200, "v")
		time.Sleep(20 * time.Second)
		master := a.transition(t, "v", vrrp.Master).At
		var got []time.Duration
		for _, s := range l.sightings() {
			if len(s.bytes) == 1 {
				got = append(got, s.at.Sub(master))
			}
		}
		ms := time.Millisecond
		want := []time.Duration{0, 10 * ms, 20 * ms, 5000 * ms, 5010 * ms, 5020 * ms}
		if len(got) != len(want) {
			t.Fatalf("announced at %v", got)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("announcement %d after %v, want %v", i, got[i], want[i])
			}
		}
	})
}

// Each announcement goes through its own interface.
func TestAnnouncementsOfOtherInterfaces(t *testing.T) {
	h := &host{port: (&lan{}).port("192.0.2.1")}
	s := New(Options{Port: silent{}, Order: func([]Order) {}, Report: func(Report) {}})
	now := time.Now()
	r := h.router("v", 10, 255)
	r.Announce = AnnounceConfig{Repeat: 1}
	r.Tx.Announcements = append(r.Tx.Announcements, Frame{IfIndex: wireIndex + 1, Bytes: []byte("elsewhere")})
	if err := s.add(now, &Unit{Routers: []Router{r}}); err != nil {
		t.Fatal(err)
	}
	g := s.groups["v"]
	s.perform(now, g, g.Step(now, 0, vrrp.Start{}))
	s.perform(now, g, g.Step(now, 0, vrrp.Claimed{}))
	s.frames = s.frames[:0]
	s.elapse(now)
	if len(s.frames) != 2 || s.frames[0].IfIndex != wireIndex || s.frames[1].IfIndex != wireIndex+1 || string(s.frames[1].Bytes) != "elsewhere" {
		t.Errorf("frames %+v", s.frames)
	}
}

// Of a claim in parts the advert goes first, and then the announcements of what is
// up; what is told of an older claim is not heeded.
func TestPartsAreAnnounced(t *testing.T) {
	h := &host{port: (&lan{}).port("192.0.2.1")}
	var ordered []Order
	s := New(Options{Port: silent{}, Order: func(o []Order) { ordered = append(ordered, o...) }, Report: func(Report) {}})
	r := h.router("v", 10, 100)
	r.Announce = AnnounceConfig{Repeat: 1}
	r.Tx.Announcements, r.Tx.Ends = nil, []int{2, 4, 6}
	for i := range 6 {
		r.Tx.Announcements = append(r.Tx.Announcements, Frame{IfIndex: wireIndex, Bytes: []byte{byte(i)}})
	}
	r.Events = []vrrp.Event{vrrp.Start{}}
	now := time.Now()
	if err := s.add(now, &Unit{Routers: []Router{r}}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(10 * time.Second)
	s.elapse(now)
	s.flush(now)
	if len(ordered) != 1 || !ordered[0].Unserved {
		t.Fatalf("orders: %+v", ordered)
	}
	old := ordered[0]
	old.Seq--
	said := func(parts ...ClaimProgress) (n int) {
		s.ClaimProgress(parts)
		s.runCommands(now)
		if n = len(s.frames); n > 0 && (n != 1 || s.frames[0].Bytes[0] != 3<<4|1) {
			t.Errorf("instead of an advert %+v", s.frames)
		}
		s.frames = s.frames[:0]
		s.elapse(now)
		n += len(s.frames)
		s.frames = s.frames[:0]
		return n
	}
	if n := said(ClaimProgress{old, 1}); n != 0 {
		t.Errorf("%d frames for an older claim", n)
	}
	if n := said(ClaimProgress{ordered[0], 1}); n != 3 {
		t.Errorf("%d frames for the first address, not an advert and two", n)
	}
	if n := said(ClaimProgress{ordered[0], 2}); n != 2 {
		t.Errorf("%d frames for the second address, not two", n)
	}
	s.Answer(ordered[0], nil)
	if n := said(); n != 3 {
		t.Errorf("%d frames for the last address, not an advert and two", n)
	}
}

// A router that cannot send says so in its status, for as long as it cannot.
func TestRefusedFramesAreTold(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		h := l.host(t, "192.0.2.1")
		h.begin(t, "", 200, "v")
		silenced := func() *SendFailure {
			t.Helper()
			snap, err := h.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			return snap.Routers["v"].SendFailure
		}
		refuse := func(err error) {
			l.mu.Lock()
			h.port.error = err
			l.mu.Unlock()
		}
		time.Sleep(5 * time.Second)
		if s := silenced(); s != nil || h.state(t, "v") != vrrp.Master {
			t.Fatalf("silenced %+v, state %v", s, h.state(t, "v"))
		}
		refuse(errors.New("operation not permitted"))
		time.Sleep(time.Second)
		since := time.Now()
		time.Sleep(3 * time.Second)
		if s := silenced(); s == nil || s.Problem != "operation not permitted" || s.Since.After(since) {
			t.Errorf("silenced %+v, want since %v", s, since)
		}
		refuse(nil)
		time.Sleep(time.Second)
		if s := silenced(); s != nil {
			t.Errorf("silenced %+v, though the last frames went out", s)
		}
	})
}

func TestDropsAreCountedByReason(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a, stranger := l.host(t, "192.0.2.1"), l.port("192.0.2.9")
		a.begin(t, "", 200, "v")
		advert := vrrp.Advert{Version: 3, VRID: 10, Priority: 250, Interval: time.Second,
			Addresses: a.router("v", 10, 200).Config.Addresses}
		good := advert.Append(nil, stranger.own, vrrp.IPv4.MulticastGroup(), vrrp.ChecksumPseudo)
		bad := append([]byte(nil), good...)
		bad[6] ^= 0xff
		advert.VRID = 99
		foreign := advert.Append(nil, stranger.own, vrrp.IPv4.MulticastGroup(), vrrp.ChecksumPseudo)
		if err := stranger.Send([]Frame{{IfIndex: wireIndex, Bytes: bad}, {IfIndex: wireIndex, Bytes: foreign}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
		snap, err := a.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if n := snap.Routers["v"].Counters.Dropped[vrrp.DropChecksum]; n != 1 {
			t.Errorf("%d dropped for their checksum", n)
		}
		if n := snap.Stray[wireIndex].UnknownVRID; n != 1 {
			t.Errorf("%d of an unknown VRID", n)
		}
		if err := errors.Join(a.Stop("v"), a.Remove("v")); err != nil {
			t.Fatal(err)
		}
		// The sum does not fall with the router.
		if snap, err = a.Snapshot(); err != nil || len(snap.Routers) != 0 || snap.Dropped[vrrp.DropChecksum] != 1 {
			t.Errorf("%v, %d routers, %d dropped for their checksum in all", err, len(snap.Routers), snap.Dropped[vrrp.DropChecksum])
		}
	})
}

// Protocol errors are reported once a minute for each kind, other reasons never.
func TestProtocolErrorsAreReported(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a, stranger := l.host(t, "192.0.2.1"), l.port("192.0.2.9")
		a.begin(t, "", 200, "v")
		good := vrrp.Advert{Version: 3, VRID: 10, Priority: 100, Interval: time.Second,
			Addresses: a.router("v", 10, 200).Config.Addresses}
		frame := func(change func(*vrrp.Advert), spoil int) Frame {
			advert := good
			if change != nil {
				change(&advert)
			}
			b := advert.Append(nil, stranger.own, vrrp.IPv4.MulticastGroup(), vrrp.ChecksumPseudo)
			b[spoil] ^= 0x40
			return Frame{IfIndex: wireIndex, Bytes: b}
		}
		checksum, version := frame(nil, 6), frame(nil, 0)
		empty := frame(func(a *vrrp.Advert) { a.Addresses = nil }, 0)
		empty.Bytes[0] ^= 0x40 // no address is no protocol error
		slow := frame(func(a *vrrp.Advert) { a.Interval = 2 * time.Second }, 6)
		slow.Bytes[6] ^= 0x40 // and another interval is heeded
		send := func(frames ...Frame) {
			t.Helper()
			if err := stranger.Send(frames); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		reports := func() (list []vrrp.Drop) {
			a.mu.Lock()
			defer a.mu.Unlock()
			for _, r := range a.reports {
				if r.Drop != vrrp.DropNone {
					list = append(list, r.Drop)
				}
			}
			return list
		}
		send(empty, checksum, checksum, version, checksum, version, slow, empty)
		if got := reports(); !slices.Equal(got, []vrrp.Drop{vrrp.DropChecksum, vrrp.DropVersion}) {
			t.Errorf("reported %v", got)
		}
		time.Sleep(errorPause)
		send(version, checksum)
		if got := reports(); len(got) != 4 {
			t.Errorf("reported after a minute: %v", got)
		}
		snap, err := a.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if c := snap.Routers["v"].Counters; c.LastError != vrrp.DropChecksum || c.IntervalDiffers != 1 || c.Dropped[vrrp.DropChecksum] != 4 || c.Dropped[vrrp.DropCount] != 2 {
			t.Errorf("counters %+v", c)
		}
	})
}

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
func (silent) Send([]Frame) []SendError                             { return nil }
func (silent) Wake()                                                {}

// TestAnnounceOnceMore: a MASTER that is asked announces once, beside what it
// announces by itself; nobody else does.
func TestAnnounceOnceMore(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a, b := l.host(t, "192.0.2.1"), l.host(t, "192.0.2.2")
		a.begin(t, "", 200, "v")
		b.begin(t, "", 100, "v")
		announced := func() (n int) {
			for _, s := range l.sightings() {
				if len(s.bytes) == 1 {
					n++
				}
			}
			return n
		}
		time.Sleep(20 * time.Second)
		if n := announced(); n != 6 {
			t.Fatalf("%d announcements of a takeover, want two bursts of 3", n)
		}
		if err := a.Announce("v"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if n := announced(); n != 7 {
			t.Errorf("%d announcements after one was asked for, want 7", n)
		}
		if err := errors.Join(a.Announce("v"), a.Announce("v")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if n := announced(); n != 9 {
			t.Errorf("%d announcements after two were asked for at once, want 9", n)
		}
		if err := b.Announce("v"); err == nil || !strings.Contains(err.Error(), "v is BACKUP here") {
			t.Errorf("a BACKUP was asked: %v", err)
		}
		if err := b.Announce("w"); err == nil {
			t.Error("announced what is not there")
		}
	})
}

// A MASTER announces as at a takeover when it is asked to: at once, and again after
// the delay. A BACKUP does nothing.
func TestReannounce(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a, b := l.host(t, "192.0.2.1"), l.host(t, "192.0.2.2")
		a.begin(t, "", 200, "v")
		b.begin(t, "", 100, "v")
		var began time.Time
		announced := func() (early, all int) {
			for _, s := range l.sightings() {
				if len(s.bytes) == 1 && !s.at.Before(began) {
					all++
					if s.at.Sub(began) < time.Second {
						early++
					}
				}
			}
			return early, all
		}
		time.Sleep(20 * time.Second)
		began = time.Now()
		if err := errors.Join(a.Reannounce("v"), b.Reannounce("v")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if early, all := announced(); early != 3 || all != 6 {
			t.Errorf("%d announcements at once and %d in all, want 3 and 6", early, all)
		}
	})
}
