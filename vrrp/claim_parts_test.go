package vrrp

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// Only addresses that no router serves may be taken over one after the other.
func TestUnserved(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		before func(r *rig)
		want   bool
	}{
		"nobody was ever heard":    {nil, func(r *rig) { r.backup() }, true},
		"the MASTER fell silent":   {nil, func(r *rig) { r.backup(); r.receive(200, highAddr) }, true},
		"the MASTER said goodbye":  {nil, func(r *rig) { r.backup(); r.receive(200, highAddr); r.receive(0, highAddr) }, false},
		"somebody said goodbye":    {nil, func(r *rig) { r.backup(); r.receive(0, highAddr) }, false},
		"a lower priority serves":  {nil, func(r *rig) { r.backup(); r.now = 2 * time.Second; r.receive(50, lowAddr) }, false},
		"it served until lately":   {nil, func(r *rig) { r.backup(); r.now = 700 * time.Millisecond; r.receive(50, lowAddr) }, false},
		"our own kernel serves":    {nil, func(r *rig) { r.event(StartHolding{}) }, false},
		"nobody wants it from us":  {nil, func(r *rig) { r.master(); r.event(Yield{}) }, false},
		"a preempt delay has past": {func(c *Config) { c.PreemptDelay = 10 * time.Second }, func(r *rig) { receiveUntilDue(r, 50, lowAddr) }, false},
		"an owner asks nobody": {func(c *Config) { c.Priority, c.StartDelay = PriorityOwner, time.Second },
			func(r *rig) { r.backup() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 3, c.change)
			c.before(r)
			for range 20 {
				r.now = r.g.Deadline().Sub(epoch)
				actions := r.only(Elapsed{})
				if i := slices.IndexFunc(actions, func(s string) bool { return strings.HasPrefix(s, "claim") }); i >= 0 {
					if got := actions[i] == "claim unserved"; got != c.want {
						t.Errorf("unserved: %v, want %v", got, c.want)
					}
					return
				}
			}
			t.Fatal("no claim")
		})
	}
}

// receiveUntilDue lets a MASTER's advert arrive every second until it may be preempted.
func receiveUntilDue(r *rig, priority uint8, source netip.Addr) {
	r.backup()
	r.receive(priority, source)
	for preempt := r.g.Member(0).preemptAt.Sub(epoch); r.now < preempt; r.now += time.Second {
		r.receive(priority, source)
	}
}

// The first part of a claim is spoken for with an advert, which is repeated until
// all is there.
func TestClaimInParts(t *testing.T) {
	r := newRig(t, 3, nil)
	r.claim()
	r.want("first part", r.only(ClaimedPart{16}), "send priority=100", "announce first 16")
	r.wantState(Backup, false)
	r.want("second part", r.only(ClaimedPart{80}), "announce first 80")
	r.want("an interval", r.elapse(r.now+time.Second), "send priority=100")
	r.want("another", r.elapse(r.now+time.Second), "send priority=100")
	r.want("a BACKUP that was quicker", r.receive(99, highAddr))
	r.now += 100 * time.Millisecond
	r.want("the rest", r.event(Claimed{}), "send priority=100", "announce", "BACKUP -> MASTER")
	r.wantState(Master, true)
	r.want("an interval as MASTER", r.elapse(r.now+time.Second), "send priority=100")
	r.want("an old part", r.only(ClaimedPart{16}))
}

// If somebody else was quicker, and serves, all is taken over at once.
func TestPartsOfWhatIsServed(t *testing.T) {
	r := newRig(t, 3, nil)
	r.claim()
	r.want("a BACKUP that was quicker", r.receive(99, highAddr))
	r.want("first part", r.only(ClaimedPart{16}))
	r.want("the rest", r.event(Claimed{}), "send priority=100", "announce", "BACKUP -> MASTER")
}

// Who has spoken for a claim takes it back in public, unless the one that beat it
// is heard by all anyway.
func TestPartsTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		event Event
		want  []string
	}{
		"the rest cannot be had": {ClaimFailed{"no"}, []string{"send priority=0", "release", "BACKUP -> FAULT"}},
		"stopped":                {Stop{}, []string{"send priority=0", "release", "BACKUP -> INIT", "stopped"}},
		"a fault":                {Faulted{Key: "track", Problem: "no"}, []string{"send priority=0", "release", "BACKUP -> FAULT"}},
		"the wire is lost":       {Faulted{Key: "link", Problem: "no", WireLost: true}, []string{"release", "BACKUP -> FAULT"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 3, nil)
			r.claim()
			r.only(ClaimedPart{16})
			r.want("event", r.event(c.event), c.want...)
			r.want("late part", r.only(ClaimedPart{80}))
			if d := r.g.Member(0).advertAt; !d.IsZero() {
				t.Error("adverts go on")
			}
		})
	}
	r := newRig(t, 3, nil)
	r.claim()
	r.only(ClaimedPart{16})
	r.want("a better one", r.receive(200, highAddr), "release")
	r.wantDeadline(r.now + down100)
	r.want("later", r.elapse(r.now+down100), "claim", "send priority=100", "announce", "BACKUP -> MASTER")
}

// Members of a group take over in parts only if nobody serves any of them, and
// one that fails takes back what its fellow has said.
func TestGroupInParts(t *testing.T) {
	one := newRig(t, 3, nil).g.Member(0).cfg
	other := one
	other.Name, other.VRID = "other", 11
	begin := func() (g *Group, at time.Time) {
		g = NewGroup("both", one, other)
		for i := range 2 {
			g.Step(epoch, i, Primary{ownAddr})
			g.Step(epoch, i, Start{})
		}
		return g, g.Deadline()
	}
	claims := func(actions []MemberAction) (unserved, served int) {
		for _, a := range actions {
			switch {
			case a.Verb == Claim && a.Unserved:
				unserved++
			case a.Verb == Claim:
				served++
			}
		}
		return unserved, served
	}

	g, at := begin()
	if u, s := claims(g.Elapse(at)); u != 2 || s != 0 {
		t.Errorf("in silence: %d claims of what is unserved, %d of what is served", u, s)
	}
	g.Step(at, 0, ClaimedPart{16})
	var said []string
	for _, a := range g.Step(at, 1, ClaimFailed{"no"}) {
		if a.Member == 0 {
			said = append(said, a.Action.String())
		}
	}
	if !slices.Contains(said, "send priority=0") || !slices.Contains(said, "release") {
		t.Errorf("its fellow failed: %q", said)
	}

	g, at = begin()
	lower := &Received{Source: lowAddr, Advert: &Advert{Version: 3, VRID: 11, Priority: 50, Interval: time.Second, Addresses: one.Addresses}}
	g.Step(at.Add(-time.Second), 1, lower)
	if u, s := claims(g.Elapse(at)); u != 0 || s != 2 {
		t.Errorf("with a MASTER of one: %d claims of what is unserved, %d of what is served", u, s)
	}
}
