package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

const (
	// linger is how long a router goes on serving after its successor's first
	// advert. Frames that were under way when the switches learned the virtual
	// MAC's new port still arrive here.
	linger = 20 * time.Millisecond
	// succession bounds the time that a successor needs to claim the addresses
	// and to get its advert here. A router that stops waits for one interval,
	// the longest skew time, and succession.
	succession = 50 * time.Millisecond
	// claimRetryMin and claimRetryMax bound the pause after a failed claim,
	// which doubles each time.
	claimRetryMin = time.Second
	claimRetryMax = 30 * time.Second
	// claimCalm is how long addresses must have been held so that their loss
	// counts as the first one again.
	claimCalm = time.Minute

	// claimFault is the key of the fault that a failed claim raises.
	claimFault = "claim"
)

// hold is how far a machine has got with its addresses.
type hold uint8

const (
	nothing  hold = iota
	claiming      // Claim was issued and is not answered yet
	held          // the device is up with all addresses
	muted         // as held, but without ARP and ND answers; Release follows
)

// A Machine is one virtual router. It is driven through a [Group], and is not
// safe for concurrent use.
type Machine struct {
	cfg     Config
	primary netip.Addr
	weight  int
	grouped bool      // the group has other members, which take over with this one
	leads   bool      // among equal priorities, this member decides for the group
	phase   time.Time // see Group.SetPhase; zero: no common phase

	state    State
	since    time.Time
	why      string
	upSince  time.Time // zero in Init and Fault
	takeover Takeover  // of the last transition to Master
	hold     hold
	claimWhy string     // the reason of the transition that follows the claim
	claimFor Takeover   // claimWhy as a Takeover
	wants    bool       // Backup: ready to take over, waits for the other members
	unserved bool       // wants or claiming: no router serves the addresses
	lost     netip.Addr // wants or claiming: see Action
	planned  bool       // wants or claiming: see Action
	spoken   bool       // claiming: adverts are sent already
	leaving  bool       // stopped for good
	waiting  bool       // Init: started, and faults are pending
	// deferring is set by Yield. A lower priority is not preempted until this
	// machine has been MASTER again.
	deferring bool
	faults    []FaultReason
	retries   int // failed claims in a row
	losses    int // claims in a row whose addresses were lost within claimCalm

	holdoff holdoff // from taking part, and from preempting
	ceded   Peer    // the other owner, which has a higher address; the zero Peer: none

	fast       fast
	peer       Peer          // the MASTER whose advert came last
	interval   time.Duration // Active_Adver_Interval (RFC 9568 §6.1)
	learned    bool          // interval comes from an advert, not from cfg
	timerFrom  time.Time     // Backup: when the master-down timer started
	gaveUp     netip.Addr    // whose priority 0 shortened that timer
	rival      Peer          // Master: the other router that advertises as MASTER
	rivalFrom  time.Time     // Master: since when rival does
	lastAdvert time.Time     // Master: when the last advert was due
	foundLate  time.Time     // when we noticed late that another router was MASTER
	promised   time.Duration // Master: the interval in the last advert, by which BACKUPs wait

	// Deadlines; the zero time is none.
	advertAt, downAt, preemptAt, releaseAt, retryAt, rivalUntil time.Time

	counters Counters
	out      []Action
}

// NewMachine returns a machine in state Init. cfg must be valid.
func NewMachine(cfg Config) *Machine {
	return &Machine{cfg: cfg, interval: cfg.Interval, out: make([]Action, 0, usualActions)}
}

// Config returns the configuration in force. The caller must not change it.
func (m *Machine) Config() *Config { return &m.cfg }

// State returns the state.
func (m *Machine) State() State { return m.state }

// Priority returns the priority in force: the configured one plus the
// trackers' weights, kept within 1 to 254, or 255 for the owner of the
// addresses. Weights do not change an owner's priority; only another owner
// does.
func (m *Machine) Priority() uint8 {
	if m.owns() {
		return PriorityOwner
	}
	return uint8(min(max(int(m.cfg.Priority)+m.weight, 1), PriorityOwner-1))
}

// Deadline returns when the machine needs an Elapsed event. The zero time
// means never.
func (m *Machine) Deadline() time.Time {
	d := earliest(m.advertAt, m.downAt)
	if !m.heldBack() {
		d = earliest(d, m.preemptAt)
	}
	d = earliest(d, m.releaseAt)
	d = earliest(d, m.retryAt)
	d = earliest(d, m.fastDeadline())
	return earliest(d, m.rivalUntil)
}

// usualActions is how many actions a step has while nothing changes: the advert. A
// transition has up to eight, whose memory thousands of routers need not keep.
const usualActions = 2

// emptied returns list without its elements, or a new one if it has grown beyond the
// usual capacity.
func emptied[T any](list []T, usual int) []T {
	if cap(list) > usual {
		return make([]T, 0, usual)
	}
	return list[:0]
}

// step handles one event. The actions are valid until the next call.
func (m *Machine) step(now time.Time, ev Event) []Action {
	m.out = emptied(m.out, usualActions)
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
		if m.hold == claiming { // after a failed refresh the addresses are still held
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
	case HoldPreempt:
		m.holdPreempt(e.Why)
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
	case PeerUp:
		m.peerUp(now, e)
	case PeerDown:
		m.peerDown(now, e)
	case PeerSpoke:
		m.peerSpoke(now, e)
	}
	if m.cfg.Fast || m.fast.peer.IsValid() {
		m.settleFast(now)
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

// become changes the state. It resets every field that belongs to a state, so
// that none survives by accident. The caller then sets what the new state
// needs.
func (m *Machine) become(now time.Time, to State, why string) {
	from := m.state
	m.state, m.since, m.why = to, now, why
	m.holdoff.stateChanged(now, from, to)
	m.wants, m.waiting = false, false
	m.gaveUp = netip.Addr{}
	m.rival, m.rivalFrom = Peer{}, time.Time{}
	m.advertAt, m.downAt, m.preemptAt, m.rivalUntil = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	if from == to {
		return
	}
	m.counters.Transitions++
	m.counters.Moves[from][to]++
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

// learn adopts a MASTER's interval (RFC 9568 §6.4.2). In version 2 all
// routers have the same interval.
func (m *Machine) learn(r *Received) {
	if m.cfg.Version == 3 {
		m.interval, m.learned = r.Advert.Interval, true
	}
}

// forget goes back to our own interval, for a time in which no MASTER is
// heard.
func (m *Machine) forget() { m.interval, m.learned = m.cfg.Interval, false }

// listen restarts the master-down timer.
func (m *Machine) listen(now time.Time) {
	m.timerFrom = m.holdoff.from(now)
	m.gaveUp = netip.Addr{}
	m.downAt = m.timerFrom.Add(m.cfg.masterDown(m.Priority(), m.interval))
}

// elapsed handles every deadline that has passed.
func (m *Machine) elapsed(now time.Time) {
	if due(m.releaseAt, now) {
		m.release()
	}
	if due(m.retryAt, now) {
		m.retryAt = time.Time{}
		m.recovered(now, claimFault)
	}
	m.fastElapsed(now)
	switch {
	case m.state == Master:
		m.masterElapsed(now)
	case m.spoken && due(m.advertAt, now):
		m.advertise(now)
	case m.state == Backup && (due(m.preemptAt, now) && !m.heldBack() || due(m.downAt, now)):
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

// advertise sends the advert that is due and schedules the next one.
func (m *Machine) advertise(now time.Time) {
	next := m.nextAdvert(m.advertAt) // counted from the schedule, so that delays do not add up
	m.send(now, m.Priority())
	m.lastAdvert = m.advertAt
	if !next.After(now) {
		next = m.nextAdvert(now)
	}
	m.advertAt = next
}

func beatenBy(r *Received, own uint8) string {
	if r.Advert.Priority == own {
		return fmt.Sprintf("%v has the same priority %d and a higher address", r.Source, own)
	}
	return fmt.Sprintf("%v has a higher priority, %d", r.Source, r.Advert.Priority)
}
