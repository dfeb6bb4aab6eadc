package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

const (
	// fastGraceMin and fastGraceMax bound how long the MASTER may take to answer
	// after its session went down: an interval of the session, within these limits.
	fastGraceMin = 4 * time.Millisecond
	fastGraceMax = 100 * time.Millisecond
	// fastHold is how long a session that went down without a dead MASTER does not
	// count. It doubles each time, up to fastHoldMax, and begins anew after fastCalm. The
	// first time is forgiven if it had no consequence.
	fastHold    = 10 * time.Second
	fastHoldMax = 5 * time.Minute
	fastCalm    = 10 * time.Minute
	// A BACKUP asks a MASTER fastQuick times in a row, an interval apart, and then
	// every fastSlow, whether it answers.
	fastQuick = 3
	fastSlow  = 30 * time.Second
	// fastSettle is how long a machine must be without a session that counts before
	// that is reported.
	fastSettle = 5 * time.Second
	// A machine answers at most fastBurst questions in a row, and then one each
	// fastPause. Eight BACKUPs ask twice each when a MASTER falls silent. Whoever floods
	// the wire with questions gets no flood of answers, which would hold adverts up.
	fastBurst = 64
	fastPause = time.Millisecond
)

// fast is what a machine with Config.Fast knows of its session with the MASTER.
//
// The session alone decides nothing. When it goes down, the machine sends a BACKUP
// ADVERTISEMENT to all routers and waits for a moment, the grace. A MASTER that is
// alive answers, and so does a BACKUP with a better claim; either keeps the machine
// from taking over. That needs a MASTER that answers, so a session counts only after
// its MASTER has answered once.
type fast struct {
	peer    netip.Addr // the MASTER that a session is wanted with; not valid: none
	up      bool       // the session is up
	answers bool       // peer has answered
	asked   int        // how often peer was asked since it last answered
	askAt   time.Time  // when it is asked again; zero: never

	bidAt    time.Time // the session went down: when the bid is repeated; zero: it was
	decideAt time.Time // the session went down: when the grace ends; zero: no grace runs
	dead     bool      // the grace is over: peer counts as dead

	answered time.Time // when all answers of the quota are free again

	accused   netip.Addr // whom this machine replaced without waiting for the timer
	accusedAt time.Time  // when

	flapper   netip.Addr // whose session went down without cause
	flaps     int        // how often
	flapped   time.Time  // the last time
	heldUntil time.Time  // until when the session does not count; zero: it does

	told   FastStatus // what the last FastChanged said
	seen   FastStatus // at the last step
	tellAt time.Time  // when seen is told; zero: it was
}

// A FastStatus says whether a BACKUP replaces a dead MASTER at once.
type FastStatus struct {
	// Peer is the MASTER that a session is wanted with. It is not valid unless the
	// machine is BACKUP and has heard one.
	Peer  netip.Addr
	Armed bool   // a lost session makes the machine take over
	Why   string // why it is not armed, for people; "": it is, or Peer is not valid
	// Until is when the session counts again, and zero unless it went down without
	// cause.
	Until time.Time
}

// Watched returns the MASTER that a session is wanted with, by its address on the first
// path. It is not valid if there is none.
func (m *Machine) Watched() netip.Addr { return m.fast.peer }

// alarmed reports whether the session went down and the grace runs.
func (m *Machine) alarmed() bool { return !m.fast.decideAt.IsZero() }

// armed reports whether a lost session makes the machine take over.
func (m *Machine) armed(now time.Time) bool { return m.fastStatus(now).Armed }

func (m *Machine) fastStatus(now time.Time) FastStatus {
	f := &m.fast
	s := FastStatus{Peer: f.peer}
	switch {
	case !f.peer.IsValid():
	case !f.up:
		s.Why = fmt.Sprintf("there is no BFD session with %v", f.peer)
	case !f.answers:
		s.Why = fmt.Sprintf("%v has a BFD session with this router, but does not answer as a MASTER with fast", f.peer)
	case f.heldUntil.After(now):
		s.Why, s.Until = fmt.Sprintf("the BFD session with %v went down while it was alive", f.peer), f.heldUntil
	case m.holdoff.begin.After(now):
		s.Why = m.holdoff.why
	default:
		s.Armed = true
	}
	return s
}

// settleFast brings the wanted session in line with the state, and reports what has
// changed. It ends every step.
func (m *Machine) settleFast(now time.Time) {
	f := &m.fast
	peer := netip.Addr{}
	if m.cfg.Fast && m.state == Backup {
		peer = m.peer.Address
	}
	if peer != f.peer {
		m.endAlarm()
		f.peer, f.up, f.answers, f.dead, f.asked, f.askAt = peer, false, false, false, 0, time.Time{}
		f.told = FastStatus{}
		m.out = append(m.out, Action{Verb: WantSession, Priority: m.Priority(), Peer: peerOf(peer)})
		m.acquit(now)
	}
	if f.peer.IsValid() && f.flapper.IsValid() && f.peer != f.flapper {
		f.flapper, f.flaps, f.heldUntil = netip.Addr{}, 0, time.Time{}
	}
	m.noteFast(now)
}

// noteFast reports when the session begins to count, and at some length of time when it
// does not: one is built up at each change of MASTER.
func (m *Machine) noteFast(now time.Time) {
	f, s := &m.fast, m.fastStatus(now)
	if s != f.seen {
		f.seen, f.tellAt = s, now.Add(fastSettle)
	}
	switch {
	case s == f.told, !s.Peer.IsValid(), !s.Until.IsZero(): // flap has told of Until
		f.tellAt = time.Time{}
	case s.Armed, due(f.tellAt, now):
		m.tellFast(s, s.Why)
	}
}

func (m *Machine) tellFast(s FastStatus, why string) {
	m.fast.told, m.fast.tellAt = s, time.Time{}
	m.out = append(m.out, Action{Verb: FastChanged, Priority: m.Priority(), Peer: peerOf(s.Peer), Armed: s.Armed, Why: why})
}

func peerOf(a netip.Addr) *Peer {
	if !a.IsValid() {
		return nil
	}
	return &Peer{Address: a}
}

// acquit notes that a router which this machine took for dead was alive all the time: it
// is MASTER again before it could have missed one of its adverts. A router that was out of
// reach for longer failed, whatever became of it; it may fail again.
func (m *Machine) acquit(now time.Time) {
	f := &m.fast
	if !f.peer.IsValid() || f.peer != f.accused {
		return
	}
	f.accused = netip.Addr{}
	if now.Before(f.accusedAt.Add(max(m.interval, m.peer.Interval))) {
		m.flap(now, true)
	}
}

// flap notes that the session went down although the MASTER was alive. harmed says that
// two routers were MASTER because of it.
func (m *Machine) flap(now time.Time, harmed bool) {
	f := &m.fast
	if f.flapper != f.peer || now.Sub(f.flapped) > fastCalm {
		f.flaps = 0
	}
	f.flapper, f.flapped = f.peer, now
	f.flaps++
	m.counters.FastFlaps++
	if f.flaps == 1 && !harmed {
		return
	}
	hold, told := min(fastHold<<min(f.flaps-1, 5), fastHoldMax), f.heldUntil.After(now)
	f.heldUntil = now.Add(hold)
	if !told {
		s := m.fastStatus(now)
		m.tellFast(s, fmt.Sprintf("the BFD session with %v went down while it was alive: it does not count for %v", f.peer, hold))
	}
}

// peerUp handles PeerUp.
func (m *Machine) peerUp(now time.Time, e PeerUp) {
	f := &m.fast
	if !f.peer.IsValid() || e.Peer != f.peer || f.up {
		return
	}
	f.up, f.asked = true, 0
	if m.alarmed() {
		m.endAlarm()
		m.flap(now, false)
	}
	m.ask(now)
}

// ask asks the MASTER to answer. One that is silent may no longer be MASTER, or not yet
// again: it is asked when it is heard.
func (m *Machine) ask(now time.Time) {
	f := &m.fast
	if m.silent(now) {
		f.askAt = now.Add(m.interval)
		return
	}
	m.sendBackup(f.peer)
	f.asked++
	f.askAt = now.Add(fastSlow)
	if f.asked < fastQuick {
		f.askAt = now.Add(m.interval)
	}
}

// sendBackup sends a BACKUP ADVERTISEMENT that wants an answer, to one router or, with the
// zero Addr, to all.
func (m *Machine) sendBackup(to netip.Addr) {
	m.counters.BackupSent++
	m.out = append(m.out, Action{Verb: SendBackup, Priority: m.Priority(), Peer: peerOf(to)})
}

// answer sends the answer to a BACKUP ADVERTISEMENT, unless there were too many.
func (m *Machine) answer(now time.Time, to netip.Addr) {
	f := &m.fast
	if f.answered.Before(now) {
		f.answered = now
	}
	if f.answered.Sub(now) > (fastBurst-1)*fastPause {
		return
	}
	f.answered = f.answered.Add(fastPause)
	m.counters.BackupSent++
	m.out = append(m.out, Action{Verb: SendBackup, Priority: m.Priority(), Peer: peerOf(to), Answer: true})
}

// peerDown handles PeerDown.
func (m *Machine) peerDown(now time.Time, e PeerDown) {
	f := &m.fast
	if !f.peer.IsValid() || e.Peer != f.peer || !f.up {
		return
	}
	armed, worked := m.armed(now), f.answers
	f.up, f.answers, f.asked, f.askAt = false, false, 0, time.Time{}
	switch {
	case e.Cause == DownSilent && armed && !m.active() && !m.wants && !m.gaveUp.IsValid():
		m.sendBackup(netip.Addr{})
		grace := min(max(e.Interval, fastGraceMin), fastGraceMax)
		f.bidAt, f.decideAt = now.Add(grace/2), now.Add(grace)
	case worked && (e.Cause == DownSilent || e.Cause == DownTold) && !m.gaveUp.IsValid():
		m.flap(now, false)
	}
}

// peerSpoke handles PeerSpoke.
func (m *Machine) peerSpoke(now time.Time, e PeerSpoke) {
	if m.alarmed() && e.Peer == m.fast.peer {
		m.masterAlive(now)
	}
}

// endAlarm ends the grace without a takeover.
func (m *Machine) endAlarm() { m.fast.bidAt, m.fast.decideAt = time.Time{}, time.Time{} }

// masterAlive notes that the MASTER has sent something.
func (m *Machine) masterAlive(now time.Time) {
	if m.alarmed() || m.fast.dead && m.wants {
		m.endAlarm()
		m.flap(now, false)
	}
	m.fast.dead = false
}

// fastElapsed handles the deadlines of the session.
func (m *Machine) fastElapsed(now time.Time) {
	f := &m.fast
	if due(f.heldUntil, now) {
		f.heldUntil = time.Time{}
	}
	if due(f.askAt, now) {
		m.ask(now)
	}
	switch {
	case due(f.decideAt, now):
		m.endAlarm()
		m.replaceDead(now)
	case due(f.bidAt, now):
		f.bidAt = time.Time{}
		m.sendBackup(netip.Addr{})
	}
}

// replaceDead takes over from the MASTER whose session went down and who did not
// answer.
func (m *Machine) replaceDead(now time.Time) {
	if m.state != Backup || m.active() || m.wants {
		return
	}
	f := &m.fast
	f.dead, f.accused, f.accusedAt = true, f.peer, now
	m.takeOver(now, fmt.Sprintf("%v is dead: its BFD session timed out and it does not answer", f.peer), TakeoverNoResponse)
}

// fastDeadline returns when fastElapsed must be called.
func (m *Machine) fastDeadline() time.Time {
	f := &m.fast
	return earliest(earliest(earliest(f.heldUntil, f.askAt), earliest(f.bidAt, f.decideAt)), f.tellAt)
}

// receiveBackup handles a BACKUP ADVERTISEMENT: a question whether the MASTER is alive,
// its answer, or the answer of a BACKUP with a better claim. Nobody answers an answer:
// two MASTERs would go on without end.
func (m *Machine) receiveBackup(now time.Time, r *Received) {
	m.counters.BackupReceived++
	switch {
	case !m.cfg.Fast || r.Advert.Priority == PriorityStop:
	case m.state == Master:
		if !r.Advert.Answer {
			m.answer(now, r.Source)
		}
	case m.state != Backup:
	case r.Source == m.fast.peer && r.Advert.Answer:
		m.masterAnswers(now, r)
	case m.outbids(r):
		if !r.Advert.Answer && (m.hold == claiming || m.alarmed() || m.armed(now)) {
			m.answer(now, r.Source)
		}
	case m.alarmed() && m.beats(r) && !m.tied(r):
		m.endAlarm() // it takes over; if it does not, our timer still runs
	}
}

// outbids reports whether this machine has a better claim than the sender. A member
// that does not lead its group leaves a tie to the leading one.
func (m *Machine) outbids(r *Received) bool {
	if p := m.Priority(); r.Advert.Priority != p {
		return p > r.Advert.Priority
	}
	return !m.tied(r) && r.Source.Less(m.primary)
}

// tied reports whether the leading member of the group must decide.
func (m *Machine) tied(r *Received) bool {
	return m.grouped && !m.leads && r.Advert.Priority == m.Priority()
}

// masterAnswers handles the MASTER's answer. One that comes during our claim ends it
// as an advert would.
func (m *Machine) masterAnswers(now time.Time, r *Received) {
	f := &m.fast
	if f.up {
		f.answers, f.asked, f.askAt = true, 0, time.Time{}
	}
	dead := f.dead
	m.masterAlive(now)
	switch {
	case !dead:
	case m.wants && m.accepts(r):
		m.wants = false
		m.listen(now)
	case m.wants:
		m.heardAlive(now)
	case m.hold == claiming && (m.beats(r) || !m.preempts()):
		f.accused = netip.Addr{}
		m.flap(now, true)
		m.letGo(now, true)
		m.listen(now)
	}
}

// silent reports whether the MASTER that was heard last counts as dead.
func (m *Machine) silent(now time.Time) bool {
	return m.fast.dead || now.Sub(m.peer.LastHeard) >= m.cfg.missed(m.peer.Interval, 0)
}
