package vrrp

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// What the machine does beyond the sentences of the RFCs.

// only lets an event happen and leaves a claim unanswered.
func (r *rig) only(ev Event) []string {
	var done []string
	for _, a := range r.g.Step(epoch.Add(r.now), 0, ev) {
		done = append(done, a.String())
	}
	return done
}

// claim brings the machine to the point where its claim is out.
func (r *rig) claim() {
	r.backup()
	r.now = r.g.Deadline().Sub(epoch)
	r.want("timer", r.only(Elapsed{}), "claim unserved")
}

// A router that claims counts as MASTER: it gives way only to one that beats it.
func TestClaimingHears(t *testing.T) {
	for _, test := range []struct {
		name     string
		preempt  bool
		priority uint8
		source   netip.Addr
		yields   bool
	}{
		{"higher priority", true, 101, lowAddr, true},
		{"equal priority, higher address", true, 100, highAddr, true},
		{"equal priority, lower address", true, 100, lowAddr, false},
		{"lower priority", true, 99, highAddr, false},
		{"a newcomer, without preempt", false, 99, highAddr, false},
		{"the MASTER believed dead, without preempt", false, 99, lowAddr, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, 3, func(c *Config) { c.Preempt = test.preempt })
			r.event(Start{})
			r.receive(99, lowAddr) // who is MASTER until the timer fires
			r.claim()
			got := r.receive(test.priority, test.source)
			if test.yields {
				r.want("advert", got, "release")
				r.wantDeadline(r.now + down100)
				r.want("late answer", r.event(Claimed{}))
				r.wantState(Backup, false)
			} else {
				r.want("advert", got)
				r.want("answer", r.event(Claimed{}), "send priority=100", "announce", "BACKUP -> MASTER")
			}
		})
	}
}

// Priority 0 does not disturb a claim.
func TestClaimingHearsStop(t *testing.T) {
	r := newRig(t, 3, nil)
	r.claim()
	r.want("priority 0", r.receive(0, highAddr))
	r.wantNoDeadline()
	r.want("answer", r.event(Claimed{}), "send priority=100", "announce", "BACKUP -> MASTER")
}

// A stopped machine cannot be started again, and stops once.
func TestStopIsFinal(t *testing.T) {
	r := newRig(t, 3, nil)
	r.backup()
	r.want("stop", r.event(Stop{}), "BACKUP -> INIT", "stopped")
	r.want("second stop", r.event(Stop{}))
	r.want("start", r.event(Start{}))
	r.wantNoDeadline()

	// A machine that never started stops as well.
	r = newRig(t, 3, nil)
	r.want("stop", r.event(Stop{}), "stopped")
}

// A claim that is out when the machine stops or faults is taken back.
func TestClaimTakenBack(t *testing.T) {
	r := newRig(t, 3, nil)
	r.claim()
	r.want("stop", r.event(Stop{}), "release", "BACKUP -> INIT", "stopped")

	r = newRig(t, 3, nil)
	r.claim()
	r.want("fault", r.event(Faulted{Key: "link", Problem: "down"}), "release", "BACKUP -> FAULT")
	r.want("late answer", r.event(Claimed{}))
	r.wantState(Fault, false)
}

// A change of priority moves the master-down timer, but not the shorter one
// that runs since the MASTER gave up.
func TestWeighMovesTimer(t *testing.T) {
	r := newRig(t, 3, nil)
	r.backup()
	r.receive(200, highAddr)
	r.now = time.Second
	r.event(TrackerWeight{50})
	r.wantDeadline(downInterval(3, 150, time.Second))
	r.receive(0, highAddr)
	shortened := r.now + skewTime(3, 150, time.Second)
	r.wantDeadline(shortened)
	r.now += 100 * time.Millisecond
	r.event(TrackerWeight{-50})
	r.wantDeadline(shortened)
}

// Trackers keep the priority within 1 and 254, whatever their sum.
func TestWeighBounds(t *testing.T) {
	r := newRig(t, 3, nil)
	for sum, want := range map[int]uint8{0: 100, 50: 150, -99: 1, -100: 1, -5000: 1, 154: 254, 155: 254, 5000: 254} {
		r.event(TrackerWeight{sum})
		if got := r.g.Member(0).Priority(); got != want {
			t.Errorf("sum %d: priority %d, want %d", sum, got, want)
		}
	}
}

// A MASTER that was silent for more than three intervals, but not so long that
// everybody must have taken over, leaves it to who did, whatever its priority.
func TestMasterWasSilent(t *testing.T) {
	r := newRig(t, 3, nil)
	at := r.master()
	r.now = at + 3500*time.Millisecond
	r.want("lower priority", r.receive(90, lowAddr), "mute", "MASTER -> BACKUP")
	heard := r.now
	// What it heard may be old: it serves until the other one has spoken again.
	r.want("linger", r.elapse(heard+time.Second+linger), "release")
	r.want("timer", r.elapse(heard+down100), "claim", "send priority=100", "announce", "BACKUP -> MASTER")
}

// The same without preempt: it stays BACKUP, by the other one's interval.
func TestMasterWasSilentNoPreempt(t *testing.T) {
	r := newRig(t, 3, func(c *Config) { c.Preempt = false })
	at := r.master()
	r.now = at + 3500*time.Millisecond
	r.receiveInterval(90, lowAddr, 10*time.Second)
	heard := r.now
	r.want("linger", r.elapse(heard+10*time.Second+linger), "release")
	r.wantDeadline(heard + 10*down100)
}

// Nobody took over: the silent one is late, and no more.
func TestMasterLateAdvert(t *testing.T) {
	r := newRig(t, 3, nil)
	at := r.master()
	r.now = at + 3900*time.Millisecond
	r.want("timer", r.event(Elapsed{}), "send priority=100")
	r.wantState(Master, true)
}

// A MASTER that wakes after everybody must have taken over steps down without
// a word, and serves until it has heard its successor speak anew: the adverts
// that waited for it are older than what its kernel answered meanwhile.
func TestMasterWakesLate(t *testing.T) {
	r := newRig(t, 3, nil)
	at := r.master()
	r.now = at + 10*time.Second
	r.want("old advert", r.receive(90, lowAddr), "mute", "MASTER -> BACKUP")
	woke := r.now
	r.want("old advert", r.receive(90, lowAddr))
	r.wantDeadline(woke + time.Second + linger)
	r.now = woke + 400*time.Millisecond
	r.want("new advert", r.receive(90, lowAddr))
	r.want("linger", r.elapse(woke+time.Second+linger), "release")
}

// So do its fellow members: none of them sends priority 0.
func TestMastersWakeLate(t *testing.T) {
	g := newTwins(t)
	at := g.Deadline()
	for _, a := range slices.Clone(g.Elapse(at)) {
		if a.Verb == Claim {
			g.Step(at, a.Member, Claimed{})
		}
	}
	if g.State() != Master {
		t.Fatalf("state is %v, want MASTER", g.State())
	}
	for _, a := range g.Step(at.Add(10*time.Second), 0, advertFrom(90, lowAddr, time.Second)) {
		if a.Verb == SendAdvert {
			t.Errorf("member %d speaks on waking: %v", a.Member, a)
		}
	}
	if g.State() != Backup {
		t.Errorf("state is %v, want BACKUP", g.State())
	}
}

// newTwins makes a started group of two members.
func newTwins(t *testing.T) *Group {
	t.Helper()
	cfg := Config{Name: "outside", Family: IPv4, Version: 3, VRID: 10, Priority: 100, Interval: time.Second,
		Preempt: true, Addresses: addresses(IPv4, 1)}
	inside := cfg
	inside.Name, inside.VRID = "inside", 11
	g := NewGroup("both", cfg, inside)
	for i := range 2 {
		g.Step(epoch, i, Primary{ownAddr})
		g.Step(epoch, i, Start{})
	}
	return g
}

func advertFrom(priority uint8, source netip.Addr, interval time.Duration) *Received {
	return &Received{Source: source, Advert: &Advert{Version: 3, Priority: priority, Interval: interval}}
}

// When the MASTER gives up in one member, the timers of all are shortened; when
// another router does, of none.
func TestGroupHastens(t *testing.T) {
	for _, test := range []struct {
		source netip.Addr
		want   time.Duration // deadline of the other member
	}{
		{highAddr, skew100},
		{lowAddr, down100},
	} {
		g := newTwins(t)
		g.Step(epoch, 0, advertFrom(200, highAddr, time.Second))
		g.Step(epoch, 1, advertFrom(200, highAddr, time.Second))
		g.Step(epoch, 1, advertFrom(0, test.source, time.Second))
		if got := g.Member(0).Deadline().Sub(epoch); got != test.want {
			t.Errorf("priority 0 from %v inside: the timer outside is %v, want %v", test.source, got, test.want)
		}
	}
}

// A member that follows another one out of mastership listens by its own
// interval, not by one that it learned long ago.
func TestGroupDemotedInterval(t *testing.T) {
	g := newTwins(t)
	for i := range 2 {
		g.Step(epoch, i, advertFrom(200, highAddr, MaxIntervalV3))
	}
	now := g.Deadline()
	g.Elapse(now)
	for i := range 2 {
		g.Step(now, i, Claimed{})
	}
	if g.State() != Master {
		t.Fatalf("group is %v, want MASTER", g.State())
	}
	g.Step(now, 0, advertFrom(200, highAddr, time.Second)) // demotes inside
	g.Elapse(now.Add(time.Second + succession))            // which lets go
	if got := g.Member(1).Deadline().Sub(now); g.Member(1).State() != Backup || got != down100 {
		t.Errorf("inside is %v and waits for %v, want %v", g.Member(1).State(), got, down100)
	}
}

// Status is a copy.
func TestStatusIsCopy(t *testing.T) {
	r := newRig(t, 3, nil)
	r.event(Faulted{Key: "a", Problem: "one"})
	st := r.g.Member(0).Status()
	r.event(Faulted{Key: "a", Problem: "two"})
	if !slices.Equal(st.Faults, []FaultReason{{Key: "a", Problem: "one", Since: epoch}}) {
		t.Errorf("faults are %v", st.Faults)
	}
}

// Addresses that can be had, and are lost each time, are asked for ever less
// often; long after that, at once again.
func TestClaimLostOverAndOver(t *testing.T) {
	r := newRig(t, 3, nil)
	r.event(Start{})
	lose := func(held time.Duration) time.Duration {
		t.Helper()
		for r.g.Member(0).State() != Master {
			r.now = r.g.Deadline().Sub(epoch)
			r.event(Elapsed{})
		}
		r.now += held
		at := r.now
		r.event(ClaimLost{Problem: "gone"})
		r.wantState(Fault, true) // until nobody is heard who takes over
		for r.g.Member(0).State() == Fault {
			r.now = r.g.Deadline().Sub(epoch)
			r.event(Elapsed{})
		}
		return r.now - at
	}
	for _, seconds := range []int{1, 2, 4, 8, 16, 30, 30} {
		want := time.Duration(seconds) * time.Second
		if got := lose(100 * time.Millisecond); got != want {
			t.Errorf("tried again after %v, want %v", got, want)
		}
	}
	if got := lose(2 * time.Minute); got != time.Second {
		t.Errorf("tried again after %v when it went well for long, want 1s", got)
	}
}
