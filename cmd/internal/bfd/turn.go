package bfd

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Deadline returns when the loop must call Turn. The zero time means never.
func (s *Speaker) Deadline() time.Time {
	if len(s.ahead) > 0 || len(s.heard) > 0 {
		return s.horizon
	}
	next := s.table.timers.Next()
	if !s.retry.IsZero() && (next.IsZero() || s.retry.Before(next)) {
		return s.retry
	}
	return next
}

// Turn reads what has arrived, does what is due, and runs what was queued. It
// allocates no memory for a packet that it receives or sends.
func (s *Speaker) Turn() {
	now := time.Now()
	s.collect()
	s.draw()
	if len(s.rx) > 0 || len(s.table.list) > 0 {
		s.noteLateness(now)
		s.receiveOthers(now)
		for _, e := range s.rx {
			switch {
			case e.ready:
				s.receive(now, e, turnLen)
			case !e.unwatched:
				e.emptied = now
			}
		}
		s.elapse(now)
	}
	s.work()
	if s.rewatch {
		s.watchSockets()
	}
	s.planAhead(now)
	s.watch.promised = s.Deadline()
}

// noteLateness tells the sessions if this turn is late.
func (s *Speaker) noteLateness(now time.Time) {
	late := s.watch.turn(now, sinceBoot()-now.Sub(s.watch.start))
	if late < time.Millisecond {
		return
	}
	for _, e := range s.table.list {
		e.noted(now, late)
	}
}

// receive reads what waits in a socket, at most limit packets.
func (s *Speaker) receive(now time.Time, e *rxSocket, limit int) {
	e.ready = false // the loop is told again if something is left
	n := batchLen
	for read := 0; n == batchLen && read < limit; read += n {
		n = s.batch.read(e.fd)
		s.take(now, e, 0, n)
	}
	if n < batchLen {
		e.emptied = now
	}
}

// take handles packets of a socket that are in the batch.
func (s *Speaker) take(now time.Time, e *rxSocket, from, to int) {
	for i := from; i < to; i++ {
		s.batch.datagram(i, e, e.emptied, now, &s.datagram)
		if session := s.table.receive(now, &s.datagram); session != nil {
			s.expect(e, session, i)
			s.perform(now, session)
			s.notifySettled()
		}
	}
}

// elapse handles every deadline that has passed. Before a session is taken down,
// everything that has arrived is read, and before a quick one sends, what the loop is not
// told of.
func (s *Speaker) elapse(now time.Time) {
	drained, peeked, beat := false, !s.unwatched, false
	for item := s.table.timers.Due(now); item != nil; item = s.table.timers.Due(now) {
		e := item.Value
		switch {
		case !drained && e.machine.expired(now):
			drained, peeked = true, true
			s.drain(now, true)
			continue // the session may have been heard
		case !peeked && e.quick:
			peeked = true
			s.drain(now, false)
			continue
		}
		e.machine.elapse(now)
		s.perform(now, e)
		beat = beat || e.quick
	}
	if beat {
		s.join(now)
	}
	if !s.retry.IsZero() && !now.Before(s.retry) {
		s.open(now)
	}
}

// drain reads everything that has arrived, from all sockets or from those that the loop
// does not watch.
func (s *Speaker) drain(now time.Time, all bool) {
	for _, e := range s.rx {
		if all || e.unwatched {
			s.receive(now, e, queueLen)
		}
	}
}

// perform sends and reports what an event of the session's machine produced.
func (s *Speaker) perform(now time.Time, e *session) {
	for i := range e.machine.out {
		e.send(&e.machine.out[i])
	}
	for _, c := range e.machine.changes {
		if c.From == Up && c.To == Down {
			e.judge(now, &c)
		}
		s.tell(e, c)
	}
	e.machine.begin()
	s.table.plan(e)
	e.quick = e.isQuick()
	if dense := e.isDense(); dense != e.dense {
		e.dense, s.rewatch = dense, true
	}
}

// judge says in the change of a session that falls if this machine was late itself.
func (s *session) judge(now time.Time, c *Change) {
	if c.Late = s.excuses(now, c.Diag); c.Late != 0 {
		c.Reason += fmt.Sprintf("; this machine was late by %v itself", c.Late.Round(time.Millisecond))
		s.machine.reason = c.Reason
	}
}

// tell reports a change to whoever wants to know.
func (s *Speaker) tell(e *session, c Change) {
	for _, u := range e.users {
		u.hear(c)
	}
	s.onChange(c)
}

// send sends a packet. Most packets of a session are the same, so its bytes are made
// anew only if it differs from the last one.
func (s *session) send(p *Packet) {
	if s.tx == nil {
		return // s.trouble says why there is no socket
	}
	s.encode(p)
	s.count(s.tx.send(&s.wire))
}

// encode makes the bytes of a packet, unless they are those of the last one.
func (s *session) encode(p *Packet) {
	if *p != s.wired {
		s.wired = *p
		p.Append(s.wire[:0])
	}
}

// count counts a packet that was sent, or that the kernel refused.
func (s *session) count(errno unix.Errno) {
	if s.sendFail = errno; errno != 0 {
		s.unsent++
		return
	}
	s.sent++
}

// notifySettled wakes RelaxTimers when no session polls any more.
func (s *Speaker) notifySettled() {
	if len(s.settled) == 0 || slices.ContainsFunc(s.table.list, func(e *session) bool { return e.machine.polling }) {
		return
	}
	for _, c := range s.settled {
		close(c)
	}
	s.settled = nil
}

// problem returns what prevents the session from sending or receiving, or "".
func (s *session) problem() string {
	if s.trouble == "" && s.sendFail != 0 {
		return fmt.Sprintf("send: %v", s.sendFail)
	}
	return s.trouble
}
