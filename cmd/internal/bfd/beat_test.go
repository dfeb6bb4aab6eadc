package bfd

import (
	"testing"
	"time"

	"holdfast/netdev/port"
)

// Quick sessions send in the same turns of the loop, whenever they came up.
func TestBeat(t *testing.T) {
	a := quickSessions(t)
	sent := func() (all [2]uint64) {
		for i, e := range a.table.list {
			all[i] = e.sent
		}
		return all
	}
	const packets = 100
	var one, both int
	a.do(func() {
		for start := sent(); one+both < packets; {
			if _, err := a.loop.(*port.Port).Receive(a.Deadline(), nil); err != nil {
				t.Error(err)
				return
			}
			a.Turn()
			now := sent()
			switch four, six := now[0] > start[0], now[1] > start[1]; {
			case four && six:
				both++
			case four || six:
				one++
			}
			start = now
		}
	})
	if one > packets/5 {
		t.Errorf("in %d turns one session sent, and in %d both", one, both)
	}
}

// A packet leaves with those of other sessions, but no earlier than its jitter allows.
func TestEarly(t *testing.T) {
	l := newLink(t, usual, usual)
	l.run(5 * time.Second)
	m := l.ends[0]
	first := m.lastSent.Add(m.interval() * 3 / 4)
	if m.early(first.Add(-1)) {
		t.Error("a packet left before its jitter allows it")
	}
	if m.due.Equal(first) || !m.early(first) || len(m.out) != 1 || m.lastSent != first || !m.due.After(first) {
		t.Errorf("at the earliest time: sent %v at %v, next at %v", m.out, m.lastSent, m.due)
	}
	m.due = time.Time{}
	if m.early(first.Add(time.Hour)) {
		t.Error("a session sent that sends no periodic packets")
	}
}
