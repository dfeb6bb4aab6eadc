package vrrp

import "time"

// Resume returns the event that gives another machine the state of this one.
func (m *Machine) Resume() Resume {
	r := Resume{State: m.state, Since: m.since, GaveAway: m.deferring, Lost: m.holdoff.lost, UpSince: m.upSince, Takeover: m.takeover}
	if m.learned {
		r.Interval = m.interval
	}
	if m.state == Master {
		r.LastAdvert, r.Promised = m.lastAdvert, m.promised
	}
	return r
}

// resume continues the state of the process that this one replaces. The other
// routers noticed nothing, so no transition is reported.
func (m *Machine) resume(now time.Time, e Resume) {
	if m.state != Init || m.leaving {
		return
	}
	if e.State == Master {
		m.hold = held
	}
	if len(m.faults) > 0 || (e.State != Master && e.State != Backup) {
		m.letGo(now, true)
		m.start(now)
		return
	}
	m.state, m.since, m.why = e.State, e.Since, "continued after an upgrade"
	m.upSince, m.takeover = e.UpSince, e.Takeover
	if m.upSince.IsZero() {
		m.upSince = e.Since
	}
	if e.State == Backup {
		m.deferring, m.holdoff.lost = e.GaveAway, e.Lost
		if e.Interval != 0 {
			m.interval, m.learned = e.Interval, true
		}
		m.listen(now)
		return
	}
	if e.LastAdvert.IsZero() {
		m.advertiseNow(now)
		return
	}
	// Adverts that arrived meanwhile are handled before this one is due. If it is
	// overdue for longer than BACKUPs wait, none is sent: see overslept.
	m.lastAdvert, m.promised = e.LastAdvert, e.Promised
	m.advertAt = m.nextAdvert(e.LastAdvert)
}
