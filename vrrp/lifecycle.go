package vrrp

import "time"

// start handles Start: the machine takes part in the election.
func (m *Machine) start(now time.Time) {
	if m.state != Init || m.leaving {
		return
	}
	m.ceded = Peer{}
	if m.hold == nothing {
		m.holdoff.delay(now, m.cfg.StartDelay, "start_delay")
	}
	switch f := m.worstFault(func(*FaultReason) bool { return true }); {
	case f == nil:
		m.begin(now, "started")
	case f.Pending: // FAULT would tell people of a failure that there may not be
		m.waiting, m.since, m.why = true, now, f.Problem
	default:
		m.become(now, Fault, f.Problem)
	}
}

// begin enters the election. The owner takes over at once, every other router
// first listens for a master-down interval (RFC 9568 §6.4.1).
func (m *Machine) begin(now time.Time, why string) {
	m.become(now, Backup, why)
	m.forget()
	switch from := m.holdoff.from(now); {
	case !m.owns():
		m.listen(now)
	case from.After(now):
		m.timerFrom, m.downAt = now, from
	default:
		m.takeOver(now, ownerReason, TakeoverPriority)
	}
}

// stop ends the machine's part in the election for good. With farewell, a
// MASTER sends priority 0 and serves until its successor is there.
func (m *Machine) stop(now time.Time, farewell bool) {
	if m.leaving {
		return
	}
	m.letGo(now, farewell)
	m.become(now, Init, "stopped")
	m.leaving = true
	if m.hold == nothing {
		m.do(Stopped)
	}
}

// letGo gives the addresses up. Where the wire works, a MASTER sends priority
// 0 and goes on serving, muted, until it receives its successor's advert.
func (m *Machine) letGo(now time.Time, wire bool) {
	switch {
	case m.hold == nothing:
	case m.hold == claiming || !wire:
		if m.spoken && wire { // our early adverts made other BACKUPs wait
			m.send(now, PriorityStop)
		}
		m.release()
	case m.hold == held:
		m.send(now, PriorityStop)
		m.mute(now.Add(m.cfg.Interval + succession))
	}
}

// mute stops the answers for the addresses now and releases them at until.
func (m *Machine) mute(until time.Time) {
	m.hold = muted
	m.releaseAt = until
	m.do(Mute)
}

// release takes the addresses off.
func (m *Machine) release() {
	m.hold = nothing
	m.releaseAt = time.Time{}
	m.endEarlyAdverts()
	m.do(Release)
	if m.leaving {
		m.do(Stopped)
	}
}

// startHolding handles StartHolding: start with the addresses on the device,
// as a crashed run left them. They are served, muted, until a MASTER's advert
// arrives or this machine is MASTER.
func (m *Machine) startHolding(now time.Time) {
	if m.state != Init || m.leaving {
		return
	}
	m.mute(now.Add(2 * m.cfg.masterDown(1, m.cfg.Interval)))
	if len(m.faults) > 0 {
		m.release()
	}
	m.start(now)
}

// abandon stops on behalf of a run that crashed as MASTER. The only advert is
// one with priority 0. If another router is MASTER by now it answers that
// advert, and the addresses are released at once.
func (m *Machine) abandon(now time.Time) {
	if m.state != Init || m.leaving {
		return
	}
	m.hold = held
	m.stop(now, true)
}
