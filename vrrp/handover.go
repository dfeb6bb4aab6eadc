package vrrp

import "time"

// yield gives mastership away on request. It works like stop, but the machine
// stays in the election and follows whoever takes over, even at a lower
// priority. If no router takes over in time, the machine becomes MASTER
// again. It serves throughout.
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

// preempts reports whether a lower-priority MASTER may be preempted.
func (m *Machine) preempts() bool {
	return !m.deferring && (m.cfg.Preempt || m.owns())
}

// advertiseNow sends an advert before it is due.
func (m *Machine) advertiseNow(now time.Time) {
	if m.state != Master {
		return
	}
	m.send(now, m.Priority())
	m.advertAt = m.nextAdvert(now)
}
