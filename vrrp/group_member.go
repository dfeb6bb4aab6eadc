package vrrp

import (
	"net/netip"
	"time"
)

// demote follows a fellow member that ceased to be MASTER or to want it.
func (m *Machine) demote(now time.Time, why string) {
	switch {
	case m.state == Master && m.overslept(now):
		m.wakeLate(now, m.silentFor(now)) // our priority 0 would come as late
	case m.state == Master:
		m.letGo(now, true)
		m.become(now, Backup, why)
		m.listen(now)
	case m.state == Backup && m.hold == claiming:
		m.letGo(now, true)
		m.listen(now)
	}
}

// hasten shortens the timer: the MASTER gave up in a fellow member, and
// members move together there as they do here.
func (m *Machine) hasten(now time.Time, source netip.Addr) {
	if m.state != Backup || m.downAt.IsZero() {
		return
	}
	if at := m.holdoff.from(now).Add(skewTime(m.cfg.Version, m.Priority(), m.interval)); at.Before(m.downAt) {
		m.downAt = at
		m.gaveUp = source
	}
}
