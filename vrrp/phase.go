package vrrp

import "time"

// phaseVRIDs is how many VRIDs send at the same moment. A thousand adverts in one
// batch would delay everything else by milliseconds.
const phaseVRIDs = 64

// SetPhase aligns the adverts of the members: as MASTER they send whole
// intervals after origin, shifted by up to three quarters of an interval
// depending on the VRID. Groups with the same origin and interval thus send
// together, in one wake-up and one system call. This costs a MASTER at most
// one extra advert, because the second advert comes earlier than an interval
// after the first. Without SetPhase, adverts count from the moment of the
// takeover.
func (g *Group) SetPhase(origin time.Time) {
	for _, m := range g.members {
		m.phase = origin
	}
}

// nextAdvert returns when the advert after one at the given time is due: an
// interval later, or earlier to be in phase.
func (m *Machine) nextAdvert(after time.Time) time.Time {
	interval := m.cfg.Interval
	next := after.Add(interval)
	if m.phase.IsZero() {
		return next
	}
	phase := m.phase.Add(interval / (256 / phaseVRIDs) * time.Duration(m.cfg.VRID/phaseVRIDs))
	return next.Add(-(next.Sub(phase) % interval)) // next is never before the origin
}
