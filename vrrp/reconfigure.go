package vrrp

import (
	"fmt"
	"slices"
	"time"
)

// setWeight handles TrackerWeight.
func (m *Machine) setWeight(now time.Time, sum int) {
	before := m.Priority()
	m.weight = sum
	why := "tracker weights add nothing"
	if sum != 0 {
		why = fmt.Sprintf("tracker weights add %+d", sum)
	}
	m.priorityChanged(before, why)
	m.retime(now)
}

// priorityChanged reports a priority in force that differs from before.
func (m *Machine) priorityChanged(before uint8, why string) {
	if p := m.Priority(); p != before && m.state != Init {
		m.out = append(m.out, Action{Verb: PriorityChanged, Priority: p, OldPriority: before, To: m.state, Why: why})
	}
}

// retime adjusts the running timer to a change of priority or interval.
func (m *Machine) retime(now time.Time) {
	switch {
	case m.state == Backup && !m.downAt.IsZero() && !m.gaveUp.IsValid():
		m.downAt = m.timerFrom.Add(m.cfg.masterDown(m.Priority(), m.interval))
	case m.state == Master:
		m.advertAt = earliest(m.advertAt, m.nextAdvert(now))
	}
}

// reconfigure handles Reconfigure.
func (m *Machine) reconfigure(now time.Time, e Reconfigure) {
	cfg := e.Config
	moved, before := e.Reclaim || !slices.Equal(m.cfg.Addresses, cfg.Addresses), m.Priority()
	if m.cfg.Priority != cfg.Priority {
		m.ceded = Peer{}
	}
	m.cfg = cfg
	m.priorityChanged(before, "the configuration changed")
	if !m.learned {
		m.interval = cfg.Interval
	}
	m.retime(now)
	if moved && (m.hold == held || m.hold == claiming) {
		m.do(Claim)
	}
}
