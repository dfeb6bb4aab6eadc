package vrrp

import "time"

// nobodyServes reports whether the addresses are out of service as far as can be
// told: a whole Master_Down_Interval has passed without an advert of anybody.
//
// A MASTER that said goodbye goes on serving until it hears its successor, and
// one that is preempted does so too. What they serve is taken over as a whole:
// whatever announces the virtual MAC draws the packets for all addresses here, and
// those that are not up yet would lose theirs. Of what nobody serves there is
// nothing to lose; each address that is up sooner is a gain, and is announced as
// soon as it is.
//
// A daemon that was killed, and not released, leaves a kernel behind that serves
// in silence. That cannot be told from a dead machine, and the addresses that
// come last go without service as long as they take.
func (m *Machine) nobodyServes(now time.Time) bool {
	if m.hold != nothing || m.owns() || m.gaveUp.IsValid() {
		return false
	}
	return !m.peer.Address.IsValid() || now.Sub(m.peer.LastHeard) >= m.cfg.missed(m.peer.Interval, 0)
}

// claimedPart speaks for the addresses that are up, before all are. The advert
// goes first, where RFC 9568 §6.4.2 has it, and is repeated until all are up:
// it keeps the other BACKUPs from taking over too, whose timers end a few
// milliseconds after ours, and whose announcements would turn the switches away
// again. MASTER is told of only when all addresses are held. Should they not be
// had, priority 0 lets the others take over at once.
func (m *Machine) claimedPart(now time.Time, addresses int) {
	if m.hold != claiming || !m.unserved && !m.spoken {
		return
	}
	if !m.spoken {
		m.spoken = true
		m.send(now, m.Priority())
		m.advertAt = m.nextAdvert(now)
	}
	m.out = append(m.out, Action{Verb: Announce, Priority: m.Priority(), First: addresses})
}

// quiet ends the adverts of a claim.
func (m *Machine) endEarlyAdverts() { m.spoken, m.advertAt = false, time.Time{} }
