package vrrp

import (
	"slices"
	"time"
)

// faulted handles Faulted. A second fault of the same key replaces the text
// of the first.
func (m *Machine) faulted(now time.Time, f Faulted) {
	i := slices.IndexFunc(m.faults, func(r FaultReason) bool { return r.Key == f.Key })
	if i >= 0 {
		m.faults[i].Problem = f.Problem
	} else {
		m.faults = append(m.faults, FaultReason{Key: f.Key, Problem: f.Problem, Since: now})
	}
	if f.WireLost {
		m.stopOnOtherPaths(now)
	}
	m.letGo(now, !f.WireLost)
	if m.state == Master || m.state == Backup {
		m.become(now, Fault, f.Problem)
	}
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
	if m.state == Fault && len(m.faults) == 0 {
		m.begin(now, "recovered")
	}
}
