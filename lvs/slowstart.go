package lvs

import "time"

// A rise is the slow start of a server: its weight rises in steps of a second at
// least, from 1 to its full weight.
type rise struct {
	due   bool      // the server rises when it gets connections the next time
	since time.Time // zero: it does not rise
}

// riseStep is the shortest time between two changes of the weight, each of which is a
// message to the kernel.
const riseStep = time.Second

// step takes into account how much weight a server has at a time. A server that had
// none, and not only because no check has reported yet, rises when it gets some.
func (r *rise) step(now time.Time, over time.Duration, health Health, full int) {
	switch {
	case full == 0:
		r.due, r.since = r.due || health != Unknown, time.Time{}
	case r.due:
		r.due, r.since = false, now
	}
	if !r.since.IsZero() && now.Sub(r.since) >= over {
		r.since = time.Time{}
	}
}

// weight returns the weight at a time of a server with a full weight.
func (r *rise) weight(now time.Time, over time.Duration, full int) int {
	switch {
	case full <= 1 || over <= 0:
		return full
	case r.due:
		return 1
	case r.since.IsZero():
		return full
	}
	steps := int64(now.Sub(r.since) / riseStep)
	return int(min(int64(full), max(1, int64(full)*steps/int64(over/riseStep))))
}

// next returns when the weight changes after now; zero if it does not.
func (r *rise) next(now time.Time, over time.Duration, full int) time.Time {
	if r.since.IsZero() {
		return time.Time{}
	}
	weight := int64(r.weight(now, over, full))
	if weight >= int64(full) {
		return r.since.Add(over)
	}
	// The first step at which full*step/steps is more than weight.
	steps := int64(over / riseStep)
	step := ((weight+1)*steps + int64(full) - 1) / int64(full)
	return r.since.Add(time.Duration(step) * riseStep)
}
