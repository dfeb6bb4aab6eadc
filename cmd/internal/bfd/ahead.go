package bfd

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A turn of the loop costs several times as much as what it sends: see port.SendAhead. So
// each turn plans what quick sessions send until one of them needs a decision, and the
// loop sends that while it waits. The plan is that of the sessions' machines: what has
// left is told to them at the next turn, and what has not left is planned anew.
const (
	// aheadLimit is how far a plan goes. A loop that hangs is thus noticed by neighbours
	// with a longer detection time too.
	aheadLimit = 100 * time.Millisecond
	// aheadPackets bounds a plan.
	aheadPackets = 256
)

// A planned packet leaves at a moment, and the next one of its session is due then.
type planned struct {
	session  *session
	at, next time.Time
}

// A cursor is how far the packets of a session are planned; zero: they are not.
type cursor struct{ last, due time.Time }

// planAhead plans what is sent until the next turn.
func (s *Speaker) planAhead(now time.Time) {
	s.heard = s.heard[:0]
	end, some := s.aheadEnd(now)
	s.horizon = end
	for some && len(s.ahead) < aheadPackets {
		at := s.nextPlanned()
		if !at.Before(end) {
			return
		}
		s.draw()
		for _, e := range s.table.list {
			if e.leaves(at) && !s.sendAhead(e, at) {
				s.ahead, s.heard = s.ahead[:0], s.heard[:0]
				return
			}
		}
	}
	if next := s.nextPlanned(); some && next.Before(end) {
		s.horizon = next
	}
}

// aheadEnd begins a plan. It returns when the next turn must come whatever is sent, and
// whether there is something to plan.
func (s *Speaker) aheadEnd(now time.Time) (end time.Time, some bool) {
	end = now.Add(quietLimit)
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(end) {
			end = t
		}
	}
	sooner(s.retry)
	for _, e := range s.table.list {
		m := &e.machine
		if !s.receiveAhead(e) {
			sooner(m.expires)
		}
		sooner(m.doubt)
		if e.quick && e.tx != nil {
			e.cursor, some = cursor{m.lastSent, m.due}, true
			continue
		}
		e.cursor = cursor{}
		sooner(m.due)
	}
	if some {
		sooner(now.Add(aheadLimit))
	}
	return end, some
}

// nextPlanned returns when the next packet leaves behind the plan.
func (s *Speaker) nextPlanned() (at time.Time) {
	for _, e := range s.table.list {
		if due := e.cursor.due; !due.IsZero() && (at.IsZero() || due.Before(at)) {
			at = due
		}
	}
	return at
}

// leaves reports whether the next packet of a session leaves at a moment, because it is
// due or because others leave: see join.
func (s *session) leaves(at time.Time) bool {
	due := s.cursor.due
	return !due.IsZero() && (!due.After(at) || !at.Before(s.machine.earliest(s.cursor.last)))
}

// sendAhead adds the next packet of a session to the plan.
func (s *Speaker) sendAhead(e *session, at time.Time) bool {
	p := e.machine.packet(false)
	e.encode(&p)
	if !s.loop.SendAhead(at, e.tx.fd, e.tx.message(&e.wire)) {
		return false
	}
	e.cursor = cursor{at, at.Add(e.machine.jittered(e.machine.interval()))}
	s.ahead = append(s.ahead, planned{e, at, e.cursor.due})
	return true
}

// collect tells the machines what has left since the last turn, and what was heard.
func (s *Speaker) collect() {
	s.collectRepeats()
	n, failed := s.loop.SentAhead()
	n = min(n, len(s.ahead))
	for i := range n {
		p := &s.ahead[i]
		e := p.session
		e.machine.lastSent, e.machine.due = p.at, p.next
		e.machine.polled = e.machine.polled || e.machine.polling
		s.table.plan(e)
		if errno := failed; i == n-1 {
			e.count(errno)
		} else {
			e.count(0)
		}
	}
	if n < len(s.ahead) && s.ahead[n].at.Before(s.watch.promised) {
		s.watch.promised = s.ahead[n].at
	}
	s.ahead = s.ahead[:0]
}

// message returns the socket's message with a packet.
func (v *txSocket) message(b *[PacketLen]byte) *unix.Msghdr {
	if v.header.Iov == nil {
		v.header.Name, v.header.Namelen = (*byte)(unsafe.Pointer(&v.to)), uint32(v.toLen)
		v.vector.Base = &b[0]
		v.vector.SetLen(PacketLen)
		v.header.Iov = &v.vector
		v.header.SetIovlen(1)
	}
	return &v.header
}
