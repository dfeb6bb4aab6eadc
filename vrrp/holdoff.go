package vrrp

import "time"

// LinkFault is the key of the fault after whose end LinkDelay begins.
const LinkFault = "link"

// heldBack is what keeps a machine from taking part, or from preempting.
type holdoff struct {
	begin time.Time // when the election begins, StartDelay and LinkDelay over
	why   string    // the key of the delay that ends then
	lost  time.Time // when we ceased to be MASTER; MinHold counts from here
}

// A Wait is something that holds a machine back for a while.
type Wait struct {
	Why   string // the configuration's key: "start_delay", "link_delay" or "min_hold"
	Until time.Time
}

// delay holds back from the election for d, unless it is for longer already.
func (b *holdoff) delay(now time.Time, d time.Duration, why string) {
	if t := now.Add(d); d > 0 && t.After(b.begin) {
		b.begin, b.why = t, why
	}
}

// from returns the time from which timers of the election count: now, or when
// the machine may take part.
func (b *holdoff) from(now time.Time) time.Time {
	if b.begin.After(now) {
		return b.begin
	}
	return now
}

// preemptFrom returns when a lower priority that is heard now may be preempted.
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

// moved hears of a change of state.
func (b *holdoff) stateChanged(now time.Time, from, to State) {
	if from == Master && to != Master {
		b.lost = now
	}
	if to == Master {
		b.lost = time.Time{}
	}
}

// waits lists what may hold back; what is over by now is for the reader to see.
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
