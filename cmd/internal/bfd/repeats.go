package bfd

import (
	"time"

	"holdfast/netdev/port"
)

// Nearly all packets of a neighbour that sends often are the same, and all that counts of
// those is when they arrived. A BACKUP has to know that some 40 times a second, just before
// the detection time would be over. So the loop looks for it during its wait, and has a turn
// when the session would fall or when another packet has come: see port.Repeats.

// quietLimit bounds a wait in which nothing needs a turn.
const quietLimit = time.Second

// An expectation is what the loop is to expect at a receive socket during its wait.
type expectation struct {
	repeats port.Repeats
	of      *session // whose packet is expected; nil: none is
	alone   bool     // no other session has the socket
}

// expect takes note of a packet in the batch that a session has accepted. The next ones may
// be repetitions of it, if these only say that the neighbour is alive.
func (s *Speaker) expect(e *rxSocket, of *session, slot int) {
	h, flags := &e.expected, s.datagram.Payload[1]
	h.of = nil
	if e.unwatched && State(flags>>6) == Up && flags&(flagPoll|flagFinal) == 0 && h.repeats.Expect(&s.batch.messages[slot]) {
		h.of = of
	}
}

// expectNone has the loop expect no packets: the sessions have changed.
func (s *Speaker) expectNone() {
	for _, e := range s.rx {
		e.expected.of = nil
	}
}

// receiveAhead has the loop read the packets of a session during its wait. It reports
// false if it cannot: the loop
// must have its turn when the detection time is over.
func (s *Speaker) receiveAhead(e *session) bool {
	m, rx := &e.machine, s.rx[e.rxKey()]
	if rx == nil || !rx.unwatched || !rx.expected.alone || rx.expected.of != e || m.state != Up || m.expires.IsZero() {
		return false
	}
	if !s.loop.ReceiveAhead(&rx.expected.repeats, rx.fd, m.expires, m.detection(), rx.emptied, s.batch.messages[:]) {
		return false
	}
	s.heard = append(s.heard, rx)
	return true
}

// collectRepeats tells the machines what the loop has heard since the last turn.
func (s *Speaker) collectRepeats() {
	for _, rx := range s.heard {
		n, latest, emptied, until := rx.expected.repeats.Received()
		rx.emptied = emptied
		if until.Before(s.watch.promised) {
			s.watch.promised = until
		}
		e := rx.expected.of
		if n == 0 || e == nil {
			continue
		}
		e.received += uint64(n)
		e.machine.heard, e.machine.expires = latest, until
		e.outlived(latest, &Packet{State: Up})
		s.table.plan(e)
	}
}

// receiveOthers handles the packets that ended the wait, and has what is behind them be read.
func (s *Speaker) receiveOthers(now time.Time) {
	ended, from, to := s.loop.ReceivedAhead()
	for _, rx := range s.heard {
		if ended == &rx.expected.repeats {
			s.take(now, rx, from, to)
			rx.ready = true
		}
	}
}
