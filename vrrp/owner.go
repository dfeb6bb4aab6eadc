package vrrp

import (
	"fmt"
	"time"
)

const ownerReason = "owner of the addresses"

// owns reports whether the machine acts as the owner of the addresses
// (priority 255). It does not while it gives way to another owner.
func (m *Machine) owns() bool {
	return m.cfg.Priority == PriorityOwner && !m.ceded.Address.IsValid()
}

// contested reports whether an advert comes from another owner with a higher
// address, to which this one gives way. Two owners are a configuration error
// that the RFCs do not cover.
func (m *Machine) contested(r *Received) bool {
	return m.owns() && r.Advert.Priority == PriorityOwner && m.primary.Less(r.Source)
}

// contest gives up ownership at the second advert of the other owner. A
// single advert may be an old one, from a router that is being reconfigured.
// The priority is 254 from then on, and the election goes on as between any
// two routers.
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
