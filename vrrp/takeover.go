package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// nobodyServes reports whether the addresses are out of service as far as we
// can tell: no router has sent an advert for a whole Master_Down_Interval, or the
// MASTER's session went down and it does not answer.
//
// Addresses that another router still serves are taken over all at once. A
// MASTER that stopped or is preempted serves until its successor's advert.
// The first frame with the virtual MAC draws the packets for all addresses
// here, and an address that is not up here yet would lose its packets.
// Addresses that nobody serves have nothing to lose: each is announced as
// soon as it is up.
//
// A daemon that was killed and never released leaves a kernel that serves
// without adverts. This looks the same as a dead machine. The addresses that
// are claimed last are then out of service until they are up.
func (m *Machine) nobodyServes(now time.Time) bool {
	if m.hold != nothing || m.owns() || m.gaveUp.IsValid() {
		return false
	}
	return !m.peer.Address.IsValid() || m.silent(now)
}

// claimedPart announces the addresses that are up before all of them are. An
// advert goes first, as in RFC 9568 §6.4.2, and is repeated until the claim
// ends. It holds back the other BACKUPs, whose timers expire a few
// milliseconds after ours and whose announcements would draw the switches
// away again. The transition to MASTER is reported only when all addresses
// are held. If the claim fails, priority 0 lets the others take over at once.
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

// endEarlyAdverts ends the adverts that claimedPart began.
func (m *Machine) endEarlyAdverts() { m.spoken, m.advertAt = false, time.Time{} }

// takeOver claims the addresses. In a group of several members it marks the
// member as ready; the group then promotes all members together.
func (m *Machine) takeOver(now time.Time, why string, takeover Takeover) {
	m.claimWhy, m.claimFor, m.unserved = why, takeover, m.nobodyServes(now)
	m.lost, m.planned = m.lostMaster(now)
	m.downAt, m.preemptAt = time.Time{}, time.Time{}
	if m.grouped {
		m.wants = true
		return
	}
	m.promote(m.unserved)
}

// heardAlive notes that the MASTER is alive, while this member waits for the others of its
// group to take over: the MASTER is preempted, and not replaced. Nobody is to fence it.
func (m *Machine) heardAlive(now time.Time) {
	why, takeover := m.takeOverReason(now)
	m.takeOver(now, why, takeover)
}

// promote issues the claim.
func (m *Machine) promote(unserved bool) {
	if m.state != Backup || m.hold == claiming {
		return
	}
	m.wants, m.unserved = false, unserved
	m.hold = claiming
	m.releaseAt = time.Time{}
	m.out = append(m.out, Action{Verb: Claim, Priority: m.Priority(), Unserved: unserved, Lost: m.lost, Planned: m.planned})
}

// claimed handles Claimed: the first advert goes out and the machine is
// MASTER.
func (m *Machine) claimed(now time.Time) {
	switch m.hold {
	case claiming:
		m.hold = held
		m.endEarlyAdverts()
		if m.fast.dead {
			m.counters.FastTakeovers++
		}
		m.retries, m.deferring = 0, false
		m.send(now, m.Priority())
		m.do(Announce)
		m.become(now, Master, m.claimWhy)
		m.forget()
		m.advertAt = m.nextAdvert(now)
	case held: // the claim was a refresh, after a change of addresses
		m.send(now, m.Priority())
		m.do(Announce)
		m.advertAt = m.nextAdvert(now)
	}
}

// noClaim raises the claim fault, for longer after each failure in a row.
func (m *Machine) noClaim(now time.Time, problem string) {
	m.retries++
	m.faulted(now, Faulted{Key: claimFault, Problem: problem})
	pause := claimRetryMin << min(m.retries-1, 5)
	m.retryAt = now.Add(min(pause, claimRetryMax))
}

// claimLost gives up addresses that cannot be restored. A claim that
// succeeded does not reset the pause: addresses that are lost again and again
// would otherwise move mastership each time.
func (m *Machine) claimLost(now time.Time, problem string) {
	if now.Sub(m.since) >= claimCalm {
		m.losses = 0
	}
	m.retries = m.losses
	m.losses++
	m.noClaim(now, problem)
}

// lostMaster returns the MASTER that has fallen silent without giving up, or that the
// takeover is planned: the MASTER gave its addresses away, or is heard still.
func (m *Machine) lostMaster(now time.Time) (lost netip.Addr, planned bool) {
	switch {
	case m.gaveUp.IsValid(), m.deferring && m.peer.LastHeard.Before(m.timerFrom):
		return netip.Addr{}, true
	case !m.peer.Address.IsValid():
		return netip.Addr{}, false
	case !m.silent(now):
		return netip.Addr{}, true
	}
	return m.peer.Address, false
}

// takeOverReason says why the MASTER that we followed is MASTER no longer.
func (m *Machine) takeOverReason(now time.Time) (string, Takeover) {
	lastHeard := now.Sub(m.peer.LastHeard)
	switch {
	case m.owns() && !m.peer.Address.IsValid():
		return ownerReason, TakeoverPriority
	case m.gaveUp.IsValid():
		return fmt.Sprintf("%v gave up (priority 0)", m.gaveUp), TakeoverPriority
	case m.deferring && m.peer.LastHeard.Before(m.timerFrom):
		return "no router took over after the handover", TakeoverNoResponse
	case !m.peer.Address.IsValid():
		return fmt.Sprintf("no advert heard for %v", now.Sub(m.timerFrom).Round(time.Millisecond)), TakeoverNoResponse
	case m.peer.Priority < m.Priority() && lastHeard < m.cfg.missed(m.peer.Interval, 0):
		return fmt.Sprintf("preempts %v (priority %d)", m.peer.Address, m.peer.Priority), TakeoverPreempted
	}
	return fmt.Sprintf("no advert from %v for %v", m.peer.Address, lastHeard.Round(time.Millisecond)), TakeoverNoResponse
}
