package vrrp

import "time"

// yield gives mastership away on request: like a stop, but as a BACKUP that
// follows whoever takes over, even a lower priority. If nobody does within the
// time that a successor takes, it becomes MASTER again; it has served all the
// while.
func (m *Machine) yield(now time.Time) {
	if m.state != Master {
		return
	}
	m.send(now, PriorityStop)
	again := m.cfg.Interval + 2*succession
	m.mute(now.Add(2 * again))
	m.become(now, Backup, "handed over on request")
	m.deferring = true
	m.forget()
	m.timerFrom = now
	m.downAt = now.Add(again)
}

// preempts reports whether a lower priority that is MASTER may be preempted.
func (m *Machine) preempts() bool {
	return !m.deferring && (m.cfg.Preempt || m.owns())
}

// startHolding begins like start, but with the addresses on, as a crashed run
// left them: they are served silently until a MASTER is heard, or until we are
// it again.
func (m *Machine) startHolding(now time.Time) {
	if m.state != Init || m.leaving {
		return
	}
	m.mute(now.Add(2 * m.cfg.masterDown(1, m.cfg.Interval)))
	if len(m.faults) > 0 {
		m.release()
	}
	m.start(now)
}

// abandon stops on behalf of a run that crashed as MASTER. No advert is sent
// but the one with priority 0: if another router is MASTER by now, that answers
// it, and we let go at once.
func (m *Machine) abandon(now time.Time) {
	if m.state != Init || m.leaving {
		return
	}
	m.hold = held
	m.stop(now, true)
}

// Resume returns the event that makes another machine what this one is.
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

// remind sends an advert before it is due.
func (m *Machine) advertiseNow(now time.Time) {
	if m.state != Master {
		return
	}
	m.send(now, m.Priority())
	m.advertAt = m.nextAdvert(now)
}

// resume goes on as what the process was a moment ago. The other routers have
// noticed nothing, so nobody here is told of a transition.
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
	m.state, m.since, m.why = e.State, e.Since, "went on after an upgrade"
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
	// What has come meanwhile is heard before this is due. If it is overdue for
	// longer than others wait, nothing is sent: see overslept.
	m.lastAdvert, m.promised = e.LastAdvert, e.Promised
	m.advertAt = m.nextAdvert(e.LastAdvert)
}
