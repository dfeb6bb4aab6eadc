package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

const (
	// linger is how long a router goes on serving after it has heard its
	// successor: the frames that were on their way when the switches learned
	// the virtual MAC's new port.
	linger = 20 * time.Millisecond
	// succession is what is added to the longest skew time (one interval) to
	// bound the wait for a successor: its claim and the way of its advert.
	succession = 50 * time.Millisecond
	// claimRetryMin and claimRetryMax bound the pause after a failed claim.
	claimRetryMin = time.Second
	claimRetryMax = 30 * time.Second
	// claimCalm is how long addresses must be held until their loss counts as
	// the first again.
	claimCalm = time.Minute

	claimFault = "claim" // key of the fault that a failed claim raises
)

// hold says what the machine has of its addresses.
type hold uint8

const (
	nothing  hold = iota
	claiming      // Claim is out, its answer is not in
	held          // device up, addresses on
	muted         // the same, but not speaking: about to be released
)

// A Machine is one virtual router. It is not safe for concurrent use.
//
// Machines are driven through a [Group].
type Machine struct {
	cfg     Config
	primary netip.Addr
	weight  int
	grouped bool      // has fellow members, which must agree before it takes over
	leads   bool      // decides for its fellow members among equal priorities
	phase   time.Time // that it keeps; zero: none

	state    State
	since    time.Time
	why      string
	upSince  time.Time // zero in Init and Fault
	takeover Takeover  // the last one
	hold     hold
	claimWhy string   // reason to tell when the claim succeeds
	claimFor Takeover // that reason as one of a few
	wants    bool     // Backup: ready to take over, waits for its fellow members
	unserved bool     // ready or claiming: nobody serves the addresses
	spoken   bool     // claiming: adverts are sent already
	leaving  bool     // Stop was asked for
	// deferring tells that mastership was given away on request: no lower
	// priority is preempted until we are MASTER again.
	deferring bool
	faults    []FaultReason
	retries   int // failed claims in a row
	losses    int // claims in a row that succeeded and were lost soon after

	holdoff holdoff // from taking part, and from preempting
	ceded   Peer    // the other owner, to whom we yielded; the zero Peer is none

	peer       Peer          // the MASTER last heard
	interval   time.Duration // the MASTER's interval (Active_Adver_Interval)
	learned    bool          // interval is that of a MASTER heard, not ours
	timerFrom  time.Time     // Backup: from when downAt counts
	gaveUp     netip.Addr    // who sent priority 0 and so shortened the timer
	rival      Peer          // Master: who speaks beside us
	rivalFrom  time.Time     // Master: since when
	lastAdvert time.Time     // Master: when the last advert was due
	foundLate  time.Time     // when it was last found out late that another is MASTER
	promised   time.Duration // Master: the interval that it told, by which peers wait

	// Deadlines; the zero time is none.
	advertAt, downAt, preemptAt, releaseAt, retryAt, rivalUntil time.Time

	counters Counters
	out      []Action
}

// NewMachine returns a machine in state Init. cfg must be valid.
func NewMachine(cfg Config) *Machine {
	return &Machine{cfg: cfg, interval: cfg.Interval, out: make([]Action, 0, 8)}
}

// Config returns the configuration in force. The caller must not change it.
func (m *Machine) Config() *Config { return &m.cfg }

// State returns the state.
func (m *Machine) State() State { return m.state }

// Priority returns the priority in force: the configured one changed by the
// trackers and kept within 1 to 254, or 255 for the owner, whom only another
// owner changes.
func (m *Machine) Priority() uint8 {
	if m.owns() {
		return PriorityOwner
	}
	return uint8(min(max(int(m.cfg.Priority)+m.weight, 1), PriorityOwner-1))
}

// Deadline returns when the machine wants an Elapsed event; the zero time is never.
func (m *Machine) Deadline() time.Time {
	d := earliest(m.advertAt, m.downAt)
	d = earliest(d, m.preemptAt)
	d = earliest(d, m.releaseAt)
	d = earliest(d, m.retryAt)
	return earliest(d, m.rivalUntil)
}

// step hears one event. The actions are valid until the next call.
func (m *Machine) step(now time.Time, ev Event) []Action {
	m.out = m.out[:0]
	switch e := ev.(type) {
	case *Received:
		m.receive(now, e)
	case Elapsed:
		m.elapsed(now)
	case Claimed:
		m.claimed(now)
	case ClaimedPart:
		m.claimedPart(now, e.Addresses)
	case ClaimFailed:
		if m.hold == claiming { // if a refresh fails, what was held still is
			m.noClaim(now, e.Problem)
		}
	case ClaimLost:
		if m.hold == held && m.state == Master {
			m.claimLost(now, e.Problem)
		}
	case Start:
		m.start(now)
	case StartHolding:
		m.startHolding(now)
	case Resume:
		m.resume(now, e)
	case AdvertiseNow:
		m.advertiseNow(now)
	case Abandon:
		m.abandon(now)
	case Yield:
		m.yield(now)
	case Stop:
		m.stop(now, true)
	case Leave:
		m.stop(now, false)
	case Faulted:
		m.faulted(now, e)
	case Recovered:
		m.recovered(now, e.Key)
	case Primary:
		m.primary = e.Address
	case TrackerWeight:
		m.setWeight(now, e.Sum)
	case Reconfigure:
		m.reconfigure(now, e)
	case promote:
		m.promote(e.unserved)
	case demote:
		m.demote(now, e.why)
	case hasten:
		m.hasten(now, e.source)
	}
	return m.out
}

func (m *Machine) do(v Verb) { m.out = append(m.out, Action{Verb: v, Priority: m.Priority()}) }

func (m *Machine) send(now time.Time, priority uint8) {
	m.counters.Sent++
	if priority == PriorityStop {
		m.counters.StopSent++
	}
	m.lastAdvert, m.promised = now, m.cfg.Interval
	m.out = append(m.out, Action{Verb: SendAdvert, Priority: priority})
}

// become changes the state. Everything that belongs to a state is reset here,
// so that nothing of it survives by accident; the caller then sets what the
// new state needs.
func (m *Machine) become(now time.Time, to State, why string) {
	from := m.state
	m.state, m.since, m.why = to, now, why
	m.holdoff.stateChanged(now, from, to)
	m.wants = false
	m.gaveUp = netip.Addr{}
	m.rival, m.rivalFrom = Peer{}, time.Time{}
	m.advertAt, m.downAt, m.preemptAt, m.rivalUntil = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	if from == to {
		return
	}
	m.counters.Transitions++
	a := Action{Verb: Transition, Priority: m.Priority(), From: from, To: to, Why: why}
	switch {
	case to == Init || to == Fault:
		m.upSince = time.Time{}
	case from == Init || from == Fault:
		m.upSince = now
	}
	if to == Master {
		m.counters.BecameMaster++
		m.takeover, a.Takeover = m.claimFor, m.claimFor
	}
	m.out = append(m.out, a)
}

// --- starting and stopping

func (m *Machine) start(now time.Time) {
	if m.state != Init || m.leaving {
		return
	}
	m.ceded = Peer{}
	if m.hold == nothing {
		m.holdoff.delay(now, m.cfg.StartDelay, "start_delay")
	}
	if len(m.faults) > 0 {
		m.become(now, Fault, m.faults[0].Problem)
		return
	}
	m.begin(now, "started")
}

// begin enters the election: at once for the owner, after a master-down
// interval of listening for everybody else (RFC 9568 §6.4.1).
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

// learn takes over the interval of a MASTER (RFC 9568 §6.4.2). Version 2 has
// one interval for all.
func (m *Machine) learn(r *Received) {
	if m.cfg.Version == 3 {
		m.interval, m.learned = r.Advert.Interval, true
	}
}

// forget goes back to our own interval, as long as no MASTER is heard.
func (m *Machine) forget() { m.interval, m.learned = m.cfg.Interval, false }

// listen restarts the master-down timer.
func (m *Machine) listen(now time.Time) {
	m.timerFrom = m.holdoff.from(now)
	m.gaveUp = netip.Addr{}
	m.downAt = m.timerFrom.Add(m.cfg.masterDown(m.Priority(), m.interval))
}

// stop leaves the election for good, and where farewell says so politely.
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

// letGo gives up what is held. A MASTER says so with priority 0 and, where
// the wire lets it, serves silently until its successor is heard.
func (m *Machine) letGo(now time.Time, wire bool) {
	switch {
	case m.hold == nothing:
	case m.hold == claiming || !wire:
		if m.spoken && wire { // who was kept waiting by it
			m.send(now, PriorityStop)
		}
		m.release()
	case m.hold == held:
		m.send(now, PriorityStop)
		m.mute(now.Add(m.cfg.Interval + succession))
	}
}

func (m *Machine) mute(until time.Time) {
	m.hold = muted
	m.releaseAt = until
	m.do(Mute)
}

func (m *Machine) release() {
	m.hold = nothing
	m.releaseAt = time.Time{}
	m.endEarlyAdverts()
	m.do(Release)
	if m.leaving {
		m.do(Stopped)
	}
}

// --- taking over

// takeOver asks for the addresses, or, in company, tells the group that this
// member is ready.
func (m *Machine) takeOver(now time.Time, why string, takeover Takeover) {
	m.claimWhy, m.claimFor, m.unserved = why, takeover, m.nobodyServes(now)
	m.downAt, m.preemptAt = time.Time{}, time.Time{}
	if m.grouped {
		m.wants = true
		return
	}
	m.promote(m.unserved)
}

func (m *Machine) promote(unserved bool) {
	if m.state != Backup || m.hold == claiming {
		return
	}
	m.wants, m.unserved = false, unserved
	m.hold = claiming
	m.releaseAt = time.Time{}
	m.out = append(m.out, Action{Verb: Claim, Priority: m.Priority(), Unserved: unserved})
}

func (m *Machine) claimed(now time.Time) {
	switch m.hold {
	case claiming:
		m.hold = held
		m.endEarlyAdverts()
		m.retries, m.deferring = 0, false
		m.send(now, m.Priority())
		m.do(Announce)
		m.become(now, Master, m.claimWhy)
		m.forget()
		m.advertAt = m.nextAdvert(now)
	case held: // a refresh after a change of addresses
		m.send(now, m.Priority())
		m.do(Announce)
		m.advertAt = m.nextAdvert(now)
	}
}

// noClaim gives up, for longer each time.
func (m *Machine) noClaim(now time.Time, problem string) {
	m.retries++
	m.faulted(now, Faulted{Key: claimFault, Problem: problem})
	pause := claimRetryMin << min(m.retries-1, 5)
	m.retryAt = now.Add(min(pause, claimRetryMax))
}

// claimLost gives up what was held. A claim that succeeds does not end the row:
// addresses that are lost again and again would move mastership each time.
func (m *Machine) claimLost(now time.Time, problem string) {
	if now.Sub(m.since) >= claimCalm {
		m.losses = 0
	}
	m.retries = m.losses
	m.losses++
	m.noClaim(now, problem)
}

// --- time

func (m *Machine) elapsed(now time.Time) {
	if due(m.releaseAt, now) {
		m.release()
	}
	if due(m.retryAt, now) {
		m.retryAt = time.Time{}
		m.recovered(now, claimFault)
	}
	switch {
	case m.state == Master:
		m.masterElapsed(now)
	case m.spoken && due(m.advertAt, now):
		m.advertise(now)
	case m.state == Backup && (due(m.preemptAt, now) || due(m.downAt, now)):
		why, takeover := m.takeOverReason(now)
		m.takeOver(now, why, takeover)
	}
}

func (m *Machine) masterElapsed(now time.Time) {
	if due(m.rivalUntil, now) {
		m.rivalGone()
	}
	if !due(m.advertAt, now) {
		return
	}
	if m.overslept(now) {
		m.wakeLate(now, m.silentFor(now))
		return
	}
	m.advertise(now)
}

// advertise sends the advert that is due.
func (m *Machine) advertise(now time.Time) {
	next := m.nextAdvert(m.advertAt) // from the schedule, so that lateness does not add up
	m.send(now, m.Priority())
	m.lastAdvert = m.advertAt
	if !next.After(now) {
		next = m.nextAdvert(now)
	}
	m.advertAt = next
}

// silentFor is how long a MASTER's peers have waited for an advert of ours.
func (m *Machine) silentFor(now time.Time) time.Duration { return now.Sub(m.lastAdvert) }

// overslept reports whether a MASTER was silent for so long that every possible
// BACKUP has taken over by now.
func (m *Machine) overslept(now time.Time) bool {
	return m.silentFor(now) > m.cfg.missed(m.promised, 1)
}

// wakeLate steps down: the process slept so long that every possible BACKUP
// has taken over by now. It goes on serving silently; whoever took over is
// heard within an interval, and if nobody did, the timer makes us MASTER again.
func (m *Machine) wakeLate(now time.Time, silent time.Duration) {
	m.foundLate = now
	m.mute(now.Add(m.cfg.masterDown(1, m.interval)))
	m.become(now, Backup, fmt.Sprintf("could not run for %v", silent.Round(time.Millisecond)))
	m.listen(now)
}

// lingerUntil returns when to let go of what is served beside the sender. If
// that was found out late, the kernel has answered for the addresses all the
// while, and so may have turned the switches to our port after the advert, which
// may be old, had turned them away. What turns them back is the next one.
func (m *Machine) lingerUntil(now time.Time, r *Received) time.Time {
	if next := m.foundLate.Add(r.Advert.Interval); next.After(now) {
		now = next
	}
	return now.Add(linger)
}

// takeOverReason says why the MASTER we followed is not it any more.
func (m *Machine) takeOverReason(now time.Time) (string, Takeover) {
	lastHeard := now.Sub(m.peer.LastHeard)
	switch {
	case m.owns() && !m.peer.Address.IsValid():
		return ownerReason, TakeoverPriority
	case m.gaveUp.IsValid():
		return fmt.Sprintf("%v gave up (priority 0)", m.gaveUp), TakeoverPriority
	case m.deferring && m.peer.LastHeard.Before(m.timerFrom):
		return "nobody took over what was handed over", TakeoverNoResponse
	case !m.peer.Address.IsValid():
		return fmt.Sprintf("no advert heard for %v", now.Sub(m.timerFrom).Round(time.Millisecond)), TakeoverNoResponse
	case m.peer.Priority < m.Priority() && lastHeard < m.cfg.missed(m.peer.Interval, 0):
		return fmt.Sprintf("preempts %v (priority %d)", m.peer.Address, m.peer.Priority), TakeoverPreempted
	}
	return fmt.Sprintf("no advert from %v for %v", m.peer.Address, lastHeard.Round(time.Millisecond)), TakeoverNoResponse
}

func beatenBy(r *Received, own uint8) string {
	if r.Advert.Priority == own {
		return fmt.Sprintf("%v has the same priority %d and a higher address", r.Source, own)
	}
	return fmt.Sprintf("%v has a higher priority, %d", r.Source, r.Advert.Priority)
}

// --- faults

func (m *Machine) faulted(now time.Time, f Faulted) {
	i := slices.IndexFunc(m.faults, func(r FaultReason) bool { return r.Key == f.Key })
	if i >= 0 {
		m.faults[i].Problem = f.Problem
	} else {
		m.faults = append(m.faults, FaultReason{Key: f.Key, Problem: f.Problem, Since: now})
	}
	m.letGo(now, !f.WireLost)
	if m.state == Master || m.state == Backup {
		m.become(now, Fault, f.Problem)
	}
}

func (m *Machine) recovered(now time.Time, key string) {
	i := slices.IndexFunc(m.faults, func(r FaultReason) bool { return r.Key == key })
	if i < 0 {
		return
	}
	m.faults = slices.Delete(m.faults, i, i+1)
	if key == LinkFault {
		m.holdoff.delay(now, m.cfg.LinkDelay, "link_delay")
	}
	if m.state == Fault && len(m.faults) == 0 {
		m.begin(now, "recovered")
	}
}

// --- change

func (m *Machine) setWeight(now time.Time, sum int) {
	before := m.Priority()
	m.weight = sum
	why := "trackers weigh nothing any more"
	if sum != 0 {
		why = fmt.Sprintf("trackers weigh %+d", sum)
	}
	m.priorityChanged(before, why)
	m.retime(now)
}

// repriced tells that the priority in force is another one than before.
func (m *Machine) priorityChanged(before uint8, why string) {
	if p := m.Priority(); p != before && m.state != Init {
		m.out = append(m.out, Action{Verb: PriorityChanged, Priority: p, OldPriority: before, To: m.state, Why: why})
	}
}

// retime counts the master-down timer anew after a change of priority or interval.
func (m *Machine) retime(now time.Time) {
	switch {
	case m.state == Backup && !m.downAt.IsZero() && !m.gaveUp.IsValid():
		m.downAt = m.timerFrom.Add(m.cfg.masterDown(m.Priority(), m.interval))
	case m.state == Master:
		m.advertAt = earliest(m.advertAt, m.nextAdvert(now))
	}
}

func (m *Machine) reconfigure(now time.Time, e Reconfigure) {
	cfg := e.Config
	moved, before := e.Reclaim || !slices.Equal(m.cfg.Addresses, cfg.Addresses), m.Priority()
	if m.cfg.Priority != cfg.Priority {
		m.ceded = Peer{}
	}
	m.cfg = cfg
	m.priorityChanged(before, "the configuration changed")
	if !m.learned {
		m.interval = cfg.Interval
	}
	m.retime(now)
	if moved && (m.hold == held || m.hold == claiming) {
		m.do(Claim)
	}
}
