package vrrp

import (
	"net/netip"
	"time"
)

// demote follows a fellow member that is MASTER no longer, or no longer
// claims.
func (m *Machine) demote(now time.Time, why string) {
	switch {
	case m.state == Master && m.overslept(now):
		m.wakeLate(now, m.silentFor(now)) // priority 0 would come too late as well
	case m.state == Master:
		m.letGo(now, true)
		m.become(now, Backup, why)
		m.listen(now)
	case m.state == Backup && m.hold == claiming:
		m.letGo(now, true)
		m.listen(now)
	}
}

// hasten shortens the master-down timer because the MASTER sent priority 0 to
// a fellow member. The members of the other director's group move together,
// as ours do.
func (m *Machine) hasten(now time.Time, source netip.Addr) {
	if m.state != Backup || m.downAt.IsZero() {
		return
	}
	if at := m.holdoff.from(now).Add(skewTime(m.cfg.Version, m.Priority(), m.interval)); at.Before(m.downAt) {
		m.downAt = at
		m.gaveUp = source
		m.endAlarm()
	}
}
