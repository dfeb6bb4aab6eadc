package bfd

import (
	"math/rand/v2"
	"time"
)

// Every turn of the loop wakes a processor up, which costs more than to send a packet.
// So when one quick session sends, the others send in the same turn if they may by their
// jitter. From then on they stay together, because all packets of a turn have the
// same jitter. It differs from turn to turn, as RFC 5880 §6.8.7 wants: no router sends in
// step with another one.

// jitter returns a number in [0, 1) that is the same for all packets of a turn.
func (s *Speaker) jitter() float64 { return s.chance }

// draw draws the jitter of a turn.
func (s *Speaker) draw() { s.chance = rand.Float64() }

// join has every quick session send that may send by now.
func (s *Speaker) join(now time.Time) {
	for _, e := range s.table.list {
		if e.quick && e.machine.early(now) {
			s.perform(now, e)
		}
	}
}

// earliest returns when the greatest jitter lets the packet leave that follows one.
func (m *machine) earliest(last time.Time) time.Time {
	return last.Add(time.Duration(float64(m.interval()) * shortest))
}

// early sends the next periodic packet if the greatest jitter lets it leave by now.
func (m *machine) early(now time.Time) bool {
	if m.due.IsZero() || now.Before(m.earliest(m.lastSent)) {
		return false
	}
	m.begin()
	m.send(now, false)
	return true
}
