package bfd

import (
	"fmt"
	"time"
)

// Timers are the intervals of a session.
type Timers struct {
	MinTx      time.Duration // shortest interval of our packets while Up
	MinRx      time.Duration // shortest interval of the neighbour's packets that we accept
	IdleTx     time.Duration // MinTx while not Up; at least one second (RFC 5880 §6.8.3)
	Multiplier uint8         // of our packets in a row that the neighbour may miss
	Passive    bool          // sends nothing before the neighbour has
}

// A Verdict is what a session says about the path to its neighbour.
type Verdict uint8

// The verdicts. A neighbour in AdminDown does not change the verdict: that its BFD
// was turned off says nothing about the path (RFC 5882 §3.2).
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
	// Interval is how often packets of the neighbour were expected, if the session fell
	// because none came for the detection time, which is a multiple of it.
	Interval time.Duration
	// Late is by how much this machine itself was late shortly before, if that can
	// be why the session fell: it was suspended or stopped, or the loop got no
	// processor time. A fall with Late != 0 says nothing about the neighbour.
	Late time.Duration
}

// A remote is the content of the neighbour's last packet. Apart from MinRx,
// zero fields are the initial values of RFC 5880 §6.8.1.
type remote struct {
	Discriminator uint32        `json:"discriminator"`
	State         State         `json:"state"`
	Diag          Diag          `json:"diag"`
	Multiplier    uint8         `json:"multiplier"`
	MinTx         time.Duration `json:"min_tx_ns"`
	MinRx         time.Duration `json:"min_rx_ns"`
	Demand        bool          `json:"demand"`
}

// unheard is the remote of a neighbour whose packets do not arrive.
var unheard = remote{State: Down, MinRx: time.Microsecond}

// A machine is one session: RFC 5880 §6.8 without sockets, goroutines and
// clock. An event sets out to the packets to send and changes to what
// happened; both are valid until the next event.
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
	excused bool      // the neighbour is in AdminDown
	doubt   time.Time // the verdict is Down if the session is not Up by then; zero: no limit

	// minTx and minRx are the values in our packets. During a poll sequence other
	// values are in force: txInForce is lower, rxInForce is higher.
	minTx, minRx         time.Duration
	txInForce, rxInForce time.Duration
	polling              bool
	polled               bool // a packet with the values of this poll was sent
	pollAgain            bool // something changed since then

	lastSent time.Time
	due      time.Time // of the next periodic packet; zero: none
	expires  time.Time // end of the detection time; zero: no packet arrived within it
	ups      uint64    // how often it came Up
	downs    uint64    // how often it left Up

	out     []Packet
	changes []Change
}

// start begins a session that is Down.
func (m *machine) start(now time.Time) {
	m.remote, m.state, m.since = unheard, Down, now
	m.reason = "no packet from the neighbour has arrived"
	m.settle()
	m.doubtFrom(now)
	m.due = now
	m.schedule(now)
}

// doubtFrom starts the time within which a working neighbour would be Up.
func (m *machine) doubtFrom(now time.Time) {
	m.doubt = now.Add(time.Duration(m.Multiplier) * max(m.IdleTx, m.MinTx))
}

// settle sets the intervals that belong to the state, in packets and in
// force.
func (m *machine) settle() {
	m.minTx, m.minRx = m.MinTx, m.MinRx
	if m.state != Up {
		m.minTx = max(m.MinTx, m.IdleTx)
	}
	m.txInForce, m.rxInForce = m.minTx, m.minRx
	m.polling, m.polled, m.pollAgain = false, false, false
}

// begin clears the results of the previous event.
func (m *machine) begin() { m.out, m.changes = m.out[:0], m.changes[:0] }

// receive handles a packet for this session, which arrived at a time that may be
// before now. The detection time counts from then. A packet that was waiting to be
// read when that time was found to be over has ended the silence.
func (m *machine) receive(now, arrived time.Time, p *Packet) Drop {
	m.begin()
	if m.state == AdminDown {
		return DropAdminDown
	}
	before := m.interval()
	m.heard = arrived
	m.remote = remote{
		Discriminator: p.Mine, State: p.State, Diag: p.Diag, Multiplier: p.Multiplier,
		MinTx: p.MinTx, MinRx: p.MinRx, Demand: p.Demand,
	}
	if p.Final && m.polling {
		m.pollEnded()
	}
	from := m.state
	m.follow(now, p)
	m.expires = arrived.Add(m.detection())
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
		m.enter(now, Init, "packets from the neighbour arrive, but it does not receive ours yet")
	case m.state == Down && p.State == Init, m.state == Init && p.State >= Init:
		m.rise(now)
	case m.state == Up && p.State == Down:
		m.fall(now, DiagNeighbourDown, "the neighbour reports Down: "+p.Diag.String())
	}
}

// excuse handles AdminDown from the neighbour. It can be reached, since its
// packet arrived; so the verdict becomes Up if there was none before.
func (m *machine) excuse(now time.Time) {
	m.excused, m.doubt = true, time.Time{}
	unknown := m.verdict == VerdictUnknown
	if unknown {
		m.verdict = VerdictUp
	}
	const reason = "the neighbour reports AdminDown: its BFD was turned off"
	switch {
	case m.state != Down:
		m.fall(now, DiagNeighbourDown, reason)
	case unknown:
		m.reason = reason
		m.report(now, Down)
	}
}

// rise enters Up. Our intervals change with that, so a poll sequence begins.
func (m *machine) rise(now time.Time) {
	m.diag, m.verdict, m.doubt = DiagNone, VerdictUp, time.Time{}
	m.ups++
	told := m.minTx
	m.enter(now, Up, "the neighbour receives our packets")
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
	m.report(now, from)
}

// report records a change.
func (m *machine) report(now time.Time, from State) {
	m.changes = append(m.changes, Change{
		Name: m.name, At: now, From: from, To: m.state, Diag: m.diag, Verdict: m.verdict, Reason: m.reason,
	})
}

// pollEnded puts the values in force that the neighbour has confirmed.
func (m *machine) pollEnded() {
	m.polling, m.polled, m.pollAgain = m.pollAgain, false, false
	if !m.polling {
		m.txInForce, m.rxInForce = m.minTx, m.minRx
	}
}

// detection returns the detection time: how long packets of the neighbour may
// be missing (RFC 5880 §6.8.4).
func (m *machine) detection() time.Duration {
	return time.Duration(m.remote.Multiplier) * m.expected()
}

// expected returns how often packets of the neighbour arrive at least.
func (m *machine) expected() time.Duration { return max(m.rxInForce, m.remote.MinTx) }

// remoteDetection returns how long the neighbour misses our packets before it takes
// the session down.
func (m *machine) remoteDetection() time.Duration {
	return time.Duration(m.Multiplier) * max(m.txInForce, m.remote.MinRx)
}

// expired reports whether the detection time is over.
func (m *machine) expired(now time.Time) bool { return !m.expires.IsZero() && !now.Before(m.expires) }

// interval returns the interval of our periodic packets, without jitter. 0
// means that none are sent (RFC 5880 §6.8.7).
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

// shortest is the part of an interval that the greatest jitter leaves.
const shortest = 0.75

// jittered shortens an interval by up to a quarter, and by at least a tenth
// if a single lost packet ends the session (RFC 5880 §6.8.7).
func (m *machine) jittered(interval time.Duration) time.Duration {
	most := 1.0
	if m.Multiplier == 1 {
		most = 0.9
	}
	return time.Duration(float64(interval) * (shortest + (most-shortest)*m.jitter()))
}

// send queues a packet. The answer to a poll is not a poll itself.
func (m *machine) send(now time.Time, final bool) {
	m.out = append(m.out, m.packet(final))
	m.polled = m.polled || m.polling && !final
	m.lastSent = now
	m.schedule(now)
}

// packet returns what is sent now.
func (m *machine) packet(final bool) Packet {
	return Packet{
		Diag: m.diag, State: m.state, Poll: m.polling && !final, Final: final, Multiplier: m.Multiplier,
		Mine: m.local, Yours: m.remote.Discriminator, MinTx: m.minTx, MinRx: m.minRx,
	}
}

// deadline returns when elapse must be called. The zero time means never.
func (m *machine) deadline() time.Time {
	var first time.Time
	for _, t := range [...]time.Time{m.due, m.expires, m.doubt} {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// elapse handles every deadline that has passed.
func (m *machine) elapse(now time.Time) {
	m.begin()
	if m.expired(now) {
		m.expire(now)
	}
	if !m.doubt.IsZero() && !now.Before(m.doubt) {
		m.doubt = time.Time{}
		if m.verdict != VerdictDown {
			m.verdict = VerdictDown
			m.report(now, m.state)
		}
	}
	if !m.due.IsZero() && !now.Before(m.due) {
		m.send(now, false)
	}
}

// expire handles the end of the detection time.
func (m *machine) expire(now time.Time) {
	interval, silence := m.expected(), m.detection()
	m.expires, m.remote = time.Time{}, unheard
	if m.state != Init && m.state != Up {
		m.schedule(now)
		return
	}
	m.fall(now, DiagExpired, fmt.Sprintf("no packet for %v: %v", silence, DiagExpired))
	m.changes[len(m.changes)-1].Interval = interval
	if m.interval() != 0 { // a passive session sends nothing now
		m.send(now, false)
	}
}

// retime changes the timers of a session without ending it. The new values go
// into our packets at once, and into force when the neighbour has confirmed
// them (RFC 5880 §6.8.3).
func (m *machine) retime(now time.Time, t Timers) {
	m.begin()
	m.Timers = t
	if m.state != Up {
		m.settle()
		m.schedule(now)
		return
	}
	if m.minTx != t.MinTx || m.minRx != t.MinRx {
		m.pollAgain, m.polling = m.polled, true
	}
	m.minTx, m.minRx = t.MinTx, t.MinRx
	m.txInForce, m.rxInForce = min(m.txInForce, m.minTx), max(m.rxInForce, m.minRx)
	m.send(now, false)
}

// end enters AdminDown. Packets that arrive later are ignored.
func (m *machine) end(now time.Time) {
	m.begin()
	from := m.state
	m.state, m.diag, m.since, m.reason = AdminDown, DiagAdminDown, now, "it is being ended"
	m.doubt, m.expires = time.Time{}, time.Time{}
	m.settle()
	if m.remote.Discriminator != 0 || !m.Passive {
		m.send(now, false)
	}
	m.report(now, from)
}
