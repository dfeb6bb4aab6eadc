package vrrp

import "time"

// LinkFault is the key of the link's fault. LinkDelay begins when it is gone.
const LinkFault = "link"

// holdoff keeps a machine out of the election, or from preempting, for a while.
type holdoff struct {
	begin time.Time // when StartDelay and LinkDelay are over and the election begins
	why   string    // "start_delay" or "link_delay", whichever ends at begin
	lost  time.Time // when the machine was last MASTER; MinHold counts from here
}

// A Wait is a holdoff that is or was in force.
type Wait struct {
	Why   string // the configuration key: "start_delay", "link_delay" or "min_hold"
	Until time.Time
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
		list = append(list, Wait{b.why, b.begin})
	}
	if !b.lost.IsZero() && c.MinHold > 0 {
		list = append(list, Wait{"min_hold", b.lost.Add(c.MinHold)})
	}
	return list
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
