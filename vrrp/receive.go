package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// receive handles an advert (RFC 9568 §6.4.2, §6.4.3).
func (m *Machine) receive(now time.Time, r *Received) {
	if m.state == Master && m.overslept(now) {
		m.wakeLate(now, m.silentFor(now)) // a MASTER that slept must not answer
	}
	if r.Advert.Backup {
		m.receiveBackup(now, r)
		return
	}
	m.counters.Received++
	if r.Source == m.fast.peer && r.Advert.Priority != PriorityStop {
		m.masterAlive(now)
	}
	if r.Advert.Priority == PriorityStop {
		m.counters.StopReceived++
		m.receiveStop(now, r.Source)
		return
	}
	if m.hold == muted {
		m.releaseAt = earliest(m.releaseAt, m.lingerUntil(now, r))
	}
	switch {
	case m.state == Master:
		m.receiveAsMaster(now, r)
	case m.state == Backup && m.hold == claiming:
		m.receiveWhileClaiming(now, r)
	case m.state == Backup:
		m.receiveAsBackup(now, r)
	case m.state == Fault || m.waiting:
		m.peer.update(r, now)
	}
}

// receiveStop handles priority 0: the MASTER stops (RFC 9568 §6.4.2, §6.4.3).
// A BACKUP accepts it only from the MASTER whose advert came last. The
// priority 0 of a preempted MASTER may arrive after the first advert of the
// new one, and would make us preempt the new one.
func (m *Machine) receiveStop(now time.Time, source netip.Addr) {
	switch {
	case m.state == Master:
		m.send(now, m.Priority())
		m.advertAt = m.nextAdvert(now)
	case m.state == Backup && m.hold != claiming && !m.wants &&
		(source == m.peer.Address || !m.peer.Address.IsValid()):
		m.gaveUp = source
		m.endAlarm()
		m.timerFrom = m.holdoff.from(now)
		m.preemptAt = time.Time{}
		m.downAt = m.timerFrom.Add(skewTime(m.cfg.Version, m.Priority(), m.interval))
	}
}

func (m *Machine) receiveAsBackup(now time.Time, r *Received) {
	m.peer.update(r, now)
	if m.accepts(r) {
		m.follow(now, r)
		return
	}
	// The MASTER has a lower priority. It is preempted by letting the timer run out.
	at := m.holdoff.preemptFrom(now, &m.cfg)
	switch {
	case m.heldBack():
		m.wants = false
		m.sayHeldBack(r)
	case m.wants:
		m.heardAlive(now)
		return
	case !at.After(now):
		return
	}
	if m.preemptAt.IsZero() {
		m.preemptAt = at
	}
	m.learn(r)
	m.listen(now)
}

// accepts reports whether a BACKUP follows the sender instead of preempting
// it (RFC 9568 §6.4.2).
func (m *Machine) accepts(r *Received) bool {
	return r.Advert.Priority >= m.Priority() || !m.preempts()
}

// follow takes the sender for the MASTER (RFC 9568 §6.4.2).
func (m *Machine) follow(now time.Time, r *Received) {
	m.peer.update(r, now)
	m.learn(r)
	m.wants = false
	m.preemptAt, m.holdoff.told = time.Time{}, false
	m.listen(now)
}

// beats reports whether the sender wins an election against this machine: by
// priority, or between equal priorities by the higher address (RFC 9568
// §6.4.3).
func (m *Machine) beats(r *Received) bool {
	if p := m.Priority(); r.Advert.Priority != p {
		return r.Advert.Priority > p
	}
	return m.primary.Less(r.Source)
}

// undecided reports whether this member has to leave an election to the
// leading member of its group. This is the case when it would lose by address
// alone. If every member decided for itself, each of two directors could lose
// on one wire, take its other members along, and no director would be MASTER.
// If the leading member has not decided after an interval, because its wire
// is cut, this member decides.
func (m *Machine) undecided(now time.Time, r *Received) bool {
	if !m.grouped || m.leads || r.Advert.Priority != m.Priority() || !m.beats(r) {
		return false
	}
	return m.rivalFrom.IsZero() || now.Before(m.rivalFrom.Add(max(m.cfg.Interval, r.Advert.Interval)))
}

// receiveWhileClaiming handles an advert during a claim. A claiming router
// counts as MASTER and gives way only to a sender that beats it, or, without
// preemption, to the MASTER that it took for dead.
func (m *Machine) receiveWhileClaiming(now time.Time, r *Received) {
	m.unserved = false // another router took over first, or is back
	if m.undecided(now, r) || m.contested(r) {
		return
	}
	if m.beats(r) || !m.preempts() && r.Source == m.peer.Address {
		m.release()
		m.follow(now, r)
	}
}

func (m *Machine) receiveAsMaster(now time.Time, r *Received) {
	switch {
	case m.undecided(now, r):
		m.noteRival(now, r) // no answer: the sender would answer that
	case m.contested(r):
		m.contest(now, r)
	case m.beats(r):
		m.mute(now.Add(linger))
		m.become(now, Backup, beatenBy(r, m.Priority()))
		m.follow(now, r)
	case m.silentFor(now) > m.cfg.missed(m.promised, 0):
		// It was this router that was silent, so the sender took over rightly.
		m.foundLate = now
		m.mute(m.lingerUntil(now, r))
		m.become(now, Backup, fmt.Sprintf("was silent for %v, and %v took over", m.silentFor(now), r.Source))
		m.receiveAsBackup(now, r)
		m.listen(now)
	default:
		m.meetRival(now, r)
	}
}

// meetRival answers a lower-priority router that advertises as MASTER. Our
// advert makes it and the switches on the way change back (RFC 9568 §6.4.3),
// and the announcement corrects the neighbours that learned its MAC.
func (m *Machine) meetRival(now time.Time, r *Received) {
	m.counters.RivalAdverts++
	m.send(now, m.Priority())
	m.advertAt = m.nextAdvert(now)
	if m.rivalFrom.IsZero() {
		m.do(Announce)
	}
	m.noteRival(now, r)
}

// noteRival records another router that advertises as MASTER. It is gone
// after three intervals without an advert.
func (m *Machine) noteRival(now time.Time, r *Received) {
	if m.rivalFrom.IsZero() {
		m.rivalFrom = now
		m.reportRival(now, r, fmt.Sprintf("%v (priority %d) advertises as MASTER too", r.Source, r.Advert.Priority))
	}
	m.rival.update(r, now)
	m.rivalUntil = now.Add(3 * max(m.cfg.Interval, r.Advert.Interval))
}

// reportRival reports another router that advertises as MASTER.
func (m *Machine) reportRival(now time.Time, r *Received, why string) {
	var p Peer
	p.update(r, now)
	m.out = append(m.out, Action{Verb: Rival, Priority: m.Priority(), Why: why, Peer: &p})
}

// rivalGone reports that the other router has stopped advertising, and
// corrects the neighbours once more.
func (m *Machine) rivalGone() {
	m.out = append(m.out, Action{Verb: Rival, Priority: m.Priority(), Why: fmt.Sprintf("%v has stopped advertising", m.rival.Address)})
	m.do(Announce)
	m.rival, m.rivalFrom = Peer{}, time.Time{}
	m.rivalUntil = time.Time{}
}
