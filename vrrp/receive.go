package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// received is what a machine makes of an advert (RFC 9568 §6.4.2, §6.4.3).
func (m *Machine) receive(now time.Time, r *Received) {
	m.counters.Received++
	if m.state == Master && m.overslept(now) {
		m.wakeLate(now, m.silentFor(now)) // before anything is answered
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
	case m.state == Fault:
		m.peer.update(r, now)
	}
}

// heardStop: the MASTER gives up (RFC 9568 §6.4.2, §6.4.3). A BACKUP heeds only
// the MASTER that it heard last: the farewell of one that was preempted may
// come after the first advert of the new one, and would have us preempt that.
func (m *Machine) receiveStop(now time.Time, source netip.Addr) {
	switch {
	case m.state == Master:
		m.send(now, m.Priority())
		m.advertAt = m.nextAdvert(now)
	case m.state == Backup && m.hold != claiming && !m.wants &&
		(source == m.peer.Address || !m.peer.Address.IsValid()):
		m.gaveUp = source
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
	// A lower priority is MASTER: not listening to it is what preempts it.
	at := m.holdoff.preemptFrom(now, &m.cfg)
	if !at.After(now) || m.wants {
		return
	}
	if m.preemptAt.IsZero() {
		m.preemptAt = at
	}
	m.learn(r)
	m.listen(now)
}

// accepts reports whether a BACKUP takes the sender for MASTER, and not for one
// to be preempted (RFC 9568 §6.4.2).
func (m *Machine) accepts(r *Received) bool {
	return r.Advert.Priority >= m.Priority() || !m.preempts()
}

// follow accepts the sender as MASTER (RFC 9568 §6.4.2).
func (m *Machine) follow(now time.Time, r *Received) {
	m.peer.update(r, now)
	m.learn(r)
	m.wants = false
	m.preemptAt = time.Time{}
	m.listen(now)
}

// beats reports whether the sender wins an election against us: by priority,
// and among equals by address (RFC 9568 §6.4.3).
func (m *Machine) beats(r *Received) bool {
	if p := m.Priority(); r.Advert.Priority != p {
		return r.Advert.Priority > p
	}
	return m.primary.Less(r.Source)
}

// undecided reports whether an election that we would lose by address alone is
// first the business of the member that leads. If every member decided for
// itself, each of two groups could lose on another wire and take the rest
// along, and nobody would be left. When the leading member has not decided
// after an interval, because its wire is cut, we do.
func (m *Machine) undecided(now time.Time, r *Received) bool {
	if !m.grouped || m.leads || r.Advert.Priority != m.Priority() || !m.beats(r) {
		return false
	}
	return m.rivalFrom.IsZero() || now.Before(m.rivalFrom.Add(max(m.cfg.Interval, r.Advert.Interval)))
}

// heardWhileClaiming: who claims is as good as MASTER, and yields as such. Only
// a router that does not preempt gives way to the MASTER that it believed dead.
func (m *Machine) receiveWhileClaiming(now time.Time, r *Received) {
	m.unserved = false // somebody was quicker, or is back
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
		m.noteRival(now, r) // without an answer, which would be answered
	case m.contested(r):
		m.contest(now, r)
	case m.beats(r):
		m.mute(now.Add(linger))
		m.become(now, Backup, beatenBy(r, m.Priority()))
		m.follow(now, r)
	case m.silentFor(now) > m.cfg.missed(m.promised, 0):
		// We were the silent one, so the sender took over by right.
		m.foundLate = now
		m.mute(m.lingerUntil(now, r))
		m.become(now, Backup, fmt.Sprintf("was silent for %v, and %v took over", m.silentFor(now), r.Source))
		m.receiveAsBackup(now, r)
		m.listen(now)
	default:
		m.meetRival(now, r)
	}
}

// meetRival answers a lower priority that speaks as MASTER: our advert tells
// it, and the switches on the way, who is (RFC 9568 §6.4.3); the announcement
// mends the neighbours that listened to it.
func (m *Machine) meetRival(now time.Time, r *Received) {
	m.counters.RivalAdverts++
	m.send(now, m.Priority())
	m.advertAt = m.nextAdvert(now)
	if m.rivalFrom.IsZero() {
		m.do(Announce)
	}
	m.noteRival(now, r)
}

func (m *Machine) noteRival(now time.Time, r *Received) {
	if m.rivalFrom.IsZero() {
		m.rivalFrom = now
		m.reportRival(now, r, fmt.Sprintf("%v (priority %d) speaks as MASTER too", r.Source, r.Advert.Priority))
	}
	m.rival.update(r, now)
	m.rivalUntil = now.Add(3 * max(m.cfg.Interval, r.Advert.Interval))
}

func (m *Machine) reportRival(now time.Time, r *Received, why string) {
	var p Peer
	p.update(r, now)
	m.out = append(m.out, Action{Verb: Rival, Priority: m.Priority(), Why: why, Peer: &p})
}

func (m *Machine) rivalGone() {
	m.out = append(m.out, Action{Verb: Rival, Priority: m.Priority(), Why: fmt.Sprintf("%v has fallen silent", m.rival.Address)})
	m.do(Announce)
	m.rival, m.rivalFrom = Peer{}, time.Time{}
	m.rivalUntil = time.Time{}
}
