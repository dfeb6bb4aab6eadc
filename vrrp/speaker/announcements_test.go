package speaker

import (
	"errors"
	"strings"
	"testing"
	"time"

	"holdfast/vrrp"
)

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
