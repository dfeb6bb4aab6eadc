package bfd

import (
	"fmt"
	"time"
)

// Timers are how often a session speaks and listens.
type Timers struct {
	MinTx      time.Duration // between our packets at least, while Up
	MinRx      time.Duration // between the neighbour's packets at least, as far as we can bear
	IdleTx     time.Duration // MinTx while not Up; a second at least (RFC 5880 §6.8.3)
	Multiplier uint8         // packets in a row that may be missed, by the neighbour
	Passive    bool          // does not speak before the neighbour does
}

// A Verdict is what a session says of the way to its neighbour.
type Verdict uint8

// The verdicts. A neighbour that says AdminDown leaves the verdict as it was:
// that its BFD was turned off says nothing of the way to it (RFC 5882 §3.2).
const (
	VerdictUnknown Verdict = iota // it may still come up
	VerdictUp
	VerdictDown
)

// A Change is a transition of a session, or another verdict.
type Change struct {
	Name     string // of the session
	At       time.Time
	From, To State // equal if only the verdict changed
	Diag     Diag
	Verdict  Verdict
	Reason   string
}

// A remote is what the neighbour said last. Zero fields are RFC 5880 §6.8.1's
// initial values, but MinRx.
type remote struct {
	Discriminator uint32        `json:"discriminator"`
	State         State         `json:"state"`
	Diag          Diag          `json:"diag"`
	Multiplier    uint8         `json:"multiplier"`
	MinTx         time.Duration `json:"min_tx_ns"`
	MinRx         time.Duration `json:"min_rx_ns"`
	Demand        bool          `json:"demand"`
}

// unheard is what is known of a neighbour of whom nothing is heard.
var unheard = remote{State: Down, MinRx: time.Microsecond}

// A machine is one session: RFC 5880 §6.8 without sockets, goroutines and
// clock. Each event returns the packets to send, which are valid until the
// next event, and the changes.
type machine struct {
	Timers
	name   string
	local  uint32
	jitter func() float64 // in [0, 1)

	state   State
	diag    Diag
	since   time.Time // of state
	reason  string    // of state
	remote  remote
	heard   time.Time // the latest packet; zero: none
	verdict Verdict
	excused bool      // the neighbour said AdminDown
	doubt   time.Time // not Up by then is down; zero: that is settled

	// minTx and minRx are what packets tell. What is in force differs during a
	// poll sequence: txInForce is lower, rxInForce is higher.
	minTx, minRx         time.Duration
	txInForce, rxInForce time.Duration
	polling              bool
	pollAgain            bool // something changed since the poll began

	lastSent time.Time
	due      time.Time // of the next periodic packet; zero: none
	expires  time.Time // the detection time; zero: nothing was heard in it
	ups      uint64    // how often it came Up
	downs    uint64    // how often it left Up

	out     []Packet
	changes []Change
}

// start begins a session that is Down.
func (m *machine) start(now time.Time) {
	m.remote, m.state, m.since = unheard, Down, now
	m.reason = "nothing has been heard of the neighbour"
	m.settle()
	m.doubtFrom(now)
	m.due = now
	m.schedule(now)
}

// doubtFrom gives the session the time in which a neighbour that is well is up.
func (m *machine) doubtFrom(now time.Time) {
	m.doubt = now.Add(time.Duration(m.Multiplier) * max(m.IdleTx, m.MinTx))
}

// settle tells and puts in force what belongs to the state.
func (m *machine) settle() {
	m.minTx, m.minRx = m.MinTx, m.MinRx
	if m.state != Up {
		m.minTx = max(m.MinTx, m.IdleTx)
	}
	m.txInForce, m.rxInForce = m.minTx, m.minRx
	m.polling, m.pollAgain = false, false
}

// begin clears what an earlier event returned.
func (m *machine) begin() { m.out, m.changes = m.out[:0], m.changes[:0] }

// receive takes in a packet that is for this session.
func (m *machine) receive(now time.Time, p *Packet) Drop {
	m.begin()
	if m.state == AdminDown {
		return DropAdminDown
	}
	before := m.interval()
	m.heard = now
	m.remote = remote{
		Discriminator: p.Mine, State: p.State, Diag: p.Diag, Multiplier: p.Multiplier,
		MinTx: p.MinTx, MinRx: p.MinRx, Demand: p.Demand,
	}
	if p.Final && m.polling {
		m.pollEnded()
	}
	from := m.state
	m.follow(now, p)
	m.expires = now.Add(m.detection())
	if m.interval() != before {
		m.schedule(now)
	}
	switch {
	case p.Poll:
		m.send(now, true)
	case m.state != from:
		m.send(now, false)
	}
	return DropNone
}

// follow is the state machine (RFC 5880 §6.8.6).
func (m *machine) follow(now time.Time, p *Packet) {
	if p.State == AdminDown {
		m.excuse(now)
		return
	}
	if m.excused {
		m.excused = false
		m.doubtFrom(now)
	}
	switch {
	case m.state == Down && p.State == Down:
		m.enter(now, Init, "the neighbour is heard, but does not hear us yet")
	case m.state == Down && p.State == Init, m.state == Init && p.State >= Init:
		m.rise(now)
	case m.state == Up && p.State == Down:
		m.fall(now, DiagNeighbourDown, "the neighbour says Down: "+p.Diag.String())
	}
}

// excuse hears AdminDown. Who says so is reached, so nothing is held against
// one of whom nothing is known either.
func (m *machine) excuse(now time.Time) {
	m.excused, m.doubt = true, time.Time{}
	unknown := m.verdict == VerdictUnknown
	if unknown {
		m.verdict = VerdictUp
	}
	const reason = "the neighbour says AdminDown: its BFD was turned off"
	switch {
	case m.state != Down:
		m.fall(now, DiagNeighbourDown, reason)
	case unknown:
		m.reason = reason
		m.tell(now, Down)
	}
}

// rise enters Up. What packets tell changes with it, so a poll sequence begins.
func (m *machine) rise(now time.Time) {
	m.diag, m.verdict, m.doubt = DiagNone, VerdictUp, time.Time{}
	m.ups++
	told := m.minTx
	m.enter(now, Up, "the neighbour hears us")
	m.polling = m.minTx != told
}

// fall enters Down from Init or Up.
func (m *machine) fall(now time.Time, diag Diag, reason string) {
	m.diag = diag
	if m.state == Up {
		m.downs++
		if !m.excused {
			m.verdict = VerdictDown
		}
	}
	m.enter(now, Down, reason)
}

func (m *machine) enter(now time.Time, to State, reason string) {
	from := m.state
	m.state, m.since, m.reason = to, now, reason
	m.settle()
	m.schedule(now)
	m.tell(now, from)
}

// tell notes a change.
func (m *machine) tell(now time.Time, from State) {
	m.changes = append(m.changes, Change{
		Name: m.name, At: now, From: from, To: m.state, Diag: m.diag, Verdict: m.verdict, Reason: m.reason,
	})
}

// pollEnded puts in force what the neighbour has now seen.
func (m *machine) pollEnded() {
	m.polling, m.pollAgain = m.pollAgain, false
	if !m.polling {
		m.txInForce, m.rxInForce = m.minTx, m.minRx
	}
}

// detection is how long the neighbour may be silent (RFC 5880 §6.8.4).
func (m *machine) detection() time.Duration {
	return time.Duration(m.remote.Multiplier) * max(m.rxInForce, m.remote.MinTx)
}

// interval is the time between periodic packets, without jitter; 0: there are
// none (RFC 5880 §6.8.7).
func (m *machine) interval() time.Duration {
	demanded := m.remote.Demand && m.state == Up && m.remote.State == Up && !m.polling
	if m.Passive && m.remote.Discriminator == 0 || m.remote.MinRx == 0 || demanded {
		return 0
	}
	return max(m.txInForce, m.remote.MinRx)
}

// schedule sets when the next periodic packet is due, counted from the last.
func (m *machine) schedule(now time.Time) {
	interval := m.interval()
	if interval == 0 {
		m.due = time.Time{}
		return
	}
	m.due = m.lastSent.Add(m.jittered(interval))
	if m.due.Before(now) {
		m.due = now
	}
}

// jittered takes up to a quarter off the interval, and a tenth at least when a
// single lost packet would be the end (RFC 5880 §6.8.7).
func (m *machine) jittered(interval time.Duration) time.Duration {
	most := 1.0
	if m.Multiplier == 1 {
		most = 0.9
	}
	return time.Duration(float64(interval) * (0.75 + (most-0.75)*m.jitter()))
}

// send sends what packets tell now. An answer to a poll does not poll.
func (m *machine) send(now time.Time, final bool) {
	m.out = append(m.out, Packet{
		Diag: m.diag, State: m.state, Poll: m.polling && !final, Final: final, Multiplier: m.Multiplier,
		Mine: m.local, Yours: m.remote.Discriminator, MinTx: m.minTx, MinRx: m.minRx,
	})
	m.lastSent = now
	m.schedule(now)
}

// deadline is when elapse is to be called; the zero time is never.
func (m *machine) deadline() time.Time {
	var first time.Time
	for _, t := range [...]time.Time{m.due, m.expires, m.doubt} {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// elapse does what is due.
func (m *machine) elapse(now time.Time) {
	m.begin()
	if !m.expires.IsZero() && !now.Before(m.expires) {
		m.expire(now)
	}
	if !m.doubt.IsZero() && !now.Before(m.doubt) {
		m.doubt = time.Time{}
		if m.verdict != VerdictDown {
			m.verdict = VerdictDown
			m.tell(now, m.state)
		}
	}
	if !m.due.IsZero() && !now.Before(m.due) {
		m.send(now, false)
	}
}

// expire forgets a neighbour that was silent for the detection time.
func (m *machine) expire(now time.Time) {
	silence := m.detection()
	m.expires, m.remote = time.Time{}, unheard
	if m.state != Init && m.state != Up {
		m.schedule(now)
		return
	}
	m.fall(now, DiagExpired, fmt.Sprintf("no packet for %v: %v", silence, DiagExpired))
	if m.interval() != 0 { // nor does a passive one speak to whom it does not hear
		m.send(now, false)
	}
}

// retime changes the timers of a running session, which stays what it is: what
// packets tell changes at once, and what is in force when the neighbour has
// seen it (RFC 5880 §6.8.3).
func (m *machine) retime(now time.Time, t Timers) {
	m.begin()
	m.Timers = t
	if m.state != Up {
		m.settle()
		m.schedule(now)
		return
	}
	if m.minTx != t.MinTx || m.minRx != t.MinRx {
		m.pollAgain, m.polling = m.polling, true
	}
	m.minTx, m.minRx = t.MinTx, t.MinRx
	m.txInForce, m.rxInForce = min(m.txInForce, m.minTx), max(m.rxInForce, m.minRx)
	m.send(now, false)
}

// end says AdminDown. Nothing that is heard later matters.
func (m *machine) end(now time.Time) {
	m.begin()
	from := m.state
	m.state, m.diag, m.since, m.reason = AdminDown, DiagAdminDown, now, "it is being ended"
	m.doubt, m.expires = time.Time{}, time.Time{}
	m.settle()
	if m.remote.Discriminator != 0 || !m.Passive {
		m.send(now, false)
	}
	m.tell(now, from)
}
