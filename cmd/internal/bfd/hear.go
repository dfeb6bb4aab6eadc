package bfd

import (
	"time"

	"holdfast/netdev/port"
)

// Nearly all packets of a neighbour that sends often are the same, and all that counts of
// those is when they arrived. A BACKUP has to know that some 40 times a second, just before
// the detection time would be over. So the loop looks for it during its wait, and has a turn
// when the session would fall or when another packet has come: see port.Ear.

// hearLimit bounds a wait in which nothing needs a turn.
const hearLimit = time.Second

// A hearing is what the loop is to expect at a receive socket during its wait.
type hearing struct {
	ear   port.Ear
	of    *session // whose packet the ear expects; nil: it expects none
	alone bool     // no other session has the socket
}

// expect takes note of a packet in the batch that a session has accepted. The next ones may
// be repetitions of it, if these only say that the neighbour is alive.
func (s *Speaker) expect(e *rxSocket, of *session, slot int) {
	h, flags := &e.hearing, s.datagram.Payload[1]
	h.of = nil
	if e.unwatched && State(flags>>6) == Up && flags&(flagPoll|flagFinal) == 0 && h.ear.Expect(&s.batch.messages[slot]) {
		h.of = of
	}
}

// deafen has the loop expect no packets: the sessions have changed.
func (s *Speaker) deafen() {
	for _, e := range s.rx {
		e.hearing.of = nil
	}
}

// hear has the loop hear a session during its wait. It reports false if it cannot: the loop
// must have its turn when the detection time is over.
func (s *Speaker) hear(e *session) bool {
	m, rx := &e.machine, s.rx[e.rxKey()]
	if rx == nil || !rx.unwatched || !rx.hearing.alone || rx.hearing.of != e || m.state != Up || m.expires.IsZero() {
		return false
	}
	if !s.loop.HearAhead(&rx.hearing.ear, rx.fd, m.expires, m.detection(), rx.emptied, s.batch.messages[:]) {
		return false
	}
	s.heard = append(s.heard, rx)
	return true
}

// collectHeard tells the machines what the loop has heard since the last turn.
func (s *Speaker) collectHeard() {
	for _, rx := range s.heard {
		n, latest, emptied, until := rx.hearing.ear.Heard()
		rx.emptied = emptied
		if until.Before(s.watch.promised) {
			s.watch.promised = until
		}
		e := rx.hearing.of
		if n == 0 || e == nil {
			continue
		}
		e.received += uint64(n)
		e.machine.heard, e.machine.expires = latest, until
		e.outlived(latest, &Packet{State: Up})
		s.table.plan(e)
	}
}

// receiveHeard handles the packets that ended the wait, and has what is behind them be read.
func (s *Speaker) receiveHeard(now time.Time) {
	ear, from, to := s.loop.HeardAhead()
	for _, rx := range s.heard {
		if ear == &rx.hearing.ear {
			s.take(now, rx, from, to)
			rx.ready = true
		}
	}
}
