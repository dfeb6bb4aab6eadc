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
