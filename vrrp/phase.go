package vrrp

import "time"

// beatVRIDs is how many virtual router IDs share a beat. A thousand adverts in
// one go would keep everything else waiting for milliseconds.
const phaseVRIDs = 64

// Beat lets the members keep time: their adverts as MASTER are due whole
// intervals after start, and some quarters of an interval by their VRID. Groups
// with the same start and interval so send together, in one wake-up and one
// system call. It costs each MASTER one advert at most: the second comes before a
// whole interval has passed, and then each after one. Without a beat it is the
// moment of the takeover that each counts from.
func (g *Group) SetPhase(start time.Time) {
	for _, m := range g.members {
		m.phase = start
	}
}

// nextAdvert returns when an advert is due after one at a given time: an interval
// later, or on the beat before that.
func (m *Machine) nextAdvert(after time.Time) time.Time {
	interval := m.cfg.Interval
	next := after.Add(interval)
	if m.phase.IsZero() {
		return next
	}
	phase := m.phase.Add(interval / (256 / phaseVRIDs) * time.Duration(m.cfg.VRID/phaseVRIDs))
	return next.Add(-(next.Sub(phase) % interval)) // nobody sends before start
}
