package vrrp

import (
	"slices"
	"time"
)

// faulted handles Faulted. A second fault of the same key replaces the text
// of the first.
func (m *Machine) faulted(now time.Time, f Faulted) {
	if r := m.fault(f.Key); r != nil {
		r.Problem, r.Pending = f.Problem, f.Pending
	} else {
		m.faults = append(m.faults, FaultReason{Key: f.Key, Problem: f.Problem, Since: now, Pending: f.Pending})
	}
	if f.WireLost {
		m.stopOnOtherPaths(now)
	}
	m.letGo(now, !f.WireLost)
	if m.state == Master || m.state == Backup || m.waiting && !f.Pending {
		m.become(now, Fault, f.Problem)
	}
}

// fault returns the fault of a key, or nil.
func (m *Machine) fault(key string) *FaultReason {
	for i := range m.faults {
		if m.faults[i].Key == key {
			return &m.faults[i]
		}
	}
	return nil
}

// worstFault returns the first fault for which is holds that is not pending, or else the
// first one that is, or nil.
func (m *Machine) worstFault(is func(*FaultReason) bool) (worst *FaultReason) {
	for i := range m.faults {
		if f := &m.faults[i]; is(f) && (worst == nil || worst.Pending && !f.Pending) {
			worst = f
		}
	}
	return worst
}

// stopOnOtherPaths sends priority 0 although the first path is lost: the others may
// work. The addresses are on the lost one, so nobody is served here any more.
func (m *Machine) stopOnOtherPaths(now time.Time) {
	if len(m.cfg.Paths) > 0 && (m.hold == held || m.spoken) {
		m.send(now, PriorityStop)
	}
}

// recovered handles Recovered. The election begins again when the last fault
// is gone.
func (m *Machine) recovered(now time.Time, key string) {
	i := slices.IndexFunc(m.faults, func(r FaultReason) bool { return r.Key == key })
	if i < 0 {
		return
	}
	m.faults = slices.Delete(m.faults, i, i+1)
	if key == LinkFault {
		m.holdoff.delay(now, m.cfg.LinkDelay, "link_delay")
	}
	switch {
	case len(m.faults) > 0:
	case m.state == Fault:
		m.begin(now, "recovered")
	case m.waiting:
		m.begin(now, "started")
	}
}
