package vrrp

import (
	"fmt"
	"time"
)

const ownerReason = "owner of the addresses"

// owns reports whether the machine speaks as the owner of the addresses: it is
// configured to, and no other owner made it yield.
func (m *Machine) owns() bool {
	return m.cfg.Priority == PriorityOwner && !m.ceded.Address.IsValid()
}

// contested reports whether an advert comes from another owner with a higher
// address, to whom we have to cede. Two owners are a mistake in a
// configuration, of which the standards say nothing.
func (m *Machine) contested(r *Received) bool {
	return m.owns() && r.Advert.Priority == PriorityOwner && m.primary.Less(r.Source)
}

// contest cedes ownership when the other owner is heard for the second time; a
// single advert may be an old one, of a router that is being reconfigured. With
// priority 254 the election is then lost like any other.
func (m *Machine) contest(now time.Time, r *Received) {
	if m.rival.Address != r.Source {
		m.noteRival(now, r)
		return
	}
	before := m.Priority()
	m.ceded.update(r, now)
	m.reportRival(now, r, fmt.Sprintf(
		"%v has priority 255 too and a higher address: ours is %d until the configuration changes", r.Source, m.Priority()))
	m.priorityChanged(before, fmt.Sprintf("%v has priority 255 too", r.Source))
	m.receiveAsMaster(now, r)
}
