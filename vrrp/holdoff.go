package vrrp

import (
	"fmt"
	"time"
)

// LinkFault is the key of the link's fault. LinkDelay begins when it is gone.
const LinkFault = "link"

// holdoff keeps a machine out of the election, or from preempting, for a while.
type holdoff struct {
	begin time.Time // when StartDelay and LinkDelay are over and the election begins
	why   string    // "start_delay" or "link_delay", whichever ends at begin
	lost  time.Time // when the machine was last MASTER; MinHold counts from here
	held  string    // why HoldPreempt forbids to preempt; "": it does not
	told  bool      // HeldBack was reported
}

// A Wait is a holdoff that is or was in force.
type Wait struct {
	Why   string // the configuration key: "start_delay", "link_delay", "min_hold" or "preempt_wait"
	Until time.Time
	// Text says what a "preempt_wait" waits for. Its Until is the zero time.
	Text string
}

// delay postpones the election to d from now, unless it is postponed further
// already.
func (b *holdoff) delay(now time.Time, d time.Duration, why string) {
	if t := now.Add(d); d > 0 && t.After(b.begin) {
		b.begin, b.why = t, why
	}
}

// from returns when election timers start: now, or when the machine may take
// part.
func (b *holdoff) from(now time.Time) time.Time {
	if b.begin.After(now) {
		return b.begin
	}
	return now
}

// preemptFrom returns when a lower-priority MASTER that is heard now may be
// preempted.
func (b *holdoff) preemptFrom(now time.Time, c *Config) time.Time {
	at := b.from(now).Add(c.PreemptDelay)
	if b.lost.IsZero() || c.MinHold == 0 {
		return at
	}
	if hold := b.lost.Add(c.MinHold); hold.After(at) {
		return hold
	}
	return at
}

// stateChanged notes a transition, for MinHold.
func (b *holdoff) stateChanged(now time.Time, from, to State) {
	b.told = false
	if from == Master && to != Master {
		b.lost = now
	}
	if to == Master {
		b.lost = time.Time{}
	}
}

// waits lists the holdoffs. Those that are over are included; the reader
// compares Until with the time.
func (b *holdoff) waits(c *Config) []Wait {
	var list []Wait
	if b.why != "" {
		list = append(list, Wait{Why: b.why, Until: b.begin})
	}
	if !b.lost.IsZero() && c.MinHold > 0 {
		list = append(list, Wait{Why: "min_hold", Until: b.lost.Add(c.MinHold)})
	}
	if b.told {
		list = append(list, Wait{Why: "preempt_wait", Text: b.held})
	}
	return list
}

// holdPreempt handles HoldPreempt. The time of a pending preemption stays: it is
// over when the hold ends, or begins to count.
func (m *Machine) holdPreempt(why string) {
	m.holdoff.held = why
	if why == "" {
		m.holdoff.told = false
	}
}

// heldBack reports whether HoldPreempt forbids to preempt.
func (m *Machine) heldBack() bool { return m.holdoff.held != "" && !m.owns() }

// sayHeldBack reports once that a MASTER is not preempted because of HoldPreempt.
func (m *Machine) sayHeldBack(r *Received) {
	if m.holdoff.told {
		return
	}
	m.holdoff.told = true
	why := fmt.Sprintf("does not preempt %v (priority %d) yet: %s", r.Source, r.Advert.Priority, m.holdoff.held)
	m.out = append(m.out, Action{Verb: HeldBack, Priority: m.Priority(), Why: why})
}

func (c *Config) validateHoldoff(bad func(key, format string, args ...any)) {
	if c.DownAfter > 100 {
		bad("down_after", "must be 1 to 100")
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"start_delay", c.StartDelay}, {"link_delay", c.LinkDelay}, {"min_hold", c.MinHold}} {
		if d.value < 0 {
			bad(d.key, "must not be negative")
		}
	}
	switch {
	case c.MinHold == 0:
	case c.Priority == PriorityOwner:
		bad("min_hold", "has no effect with priority 255: the owner always preempts")
	case !c.Preempt:
		bad("min_hold", "has no effect without preempt")
	}
}
