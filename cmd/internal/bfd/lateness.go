package bfd

import "time"

// A watch tells when the loop was late: it slept, was stopped, or got no processor
// time. A session that falls then may do so though its neighbour is well.
type watch struct {
	start    time.Time     // what asleep counts from
	promised time.Time     // when the loop was to have its turn; zero: whenever it likes
	asleep   time.Duration // by how much the clock with suspension was ahead at the last turn
}

// turn begins a turn and returns by how much it is late. asleep is what
// CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC: Go's clock does not count the time
// while the machine was suspended.
func (w *watch) turn(now time.Time, asleep time.Duration) time.Duration {
	var late time.Duration
	if !w.promised.IsZero() {
		late = max(0, now.Sub(w.promised)) + max(0, asleep-w.asleep)
	}
	w.asleep = asleep
	return late
}

// An excuse is a late turn of the loop that can have cost a session.
type excuse struct {
	late    time.Duration // by how much; 0: there is none
	noted   time.Time     // when the turn was
	heard   bool          // the neighbour was Up after it: silence since then has another cause
	settled time.Time     // a neighbour that is Up after this did not miss too many of our packets
	ends    time.Time     // a fall after this has another cause
}

// aftermath is how long after a late turn, beside the detection time, a session may
// fall because of it: the first packet by which the neighbour says that it is Down
// may be lost, and the next comes a second later (RFC 5880 §6.8.3).
const aftermath = time.Second

// noted notes that the loop was late until now, if that can have cost the session:
// for half of a detection time the neighbour has missed our packets, or we may have missed
// its packets. The two times differ where one end alone is in a hurry.
func (s *session) noted(now time.Time, late time.Duration) {
	m := &s.machine
	ours, theirs := m.detection(), m.remoteDetection()
	if m.state != Up || late < min(ours, theirs)/2 {
		return
	}
	settled, ends := now, now.Add(ours+aftermath)
	if late >= theirs/2 {
		settled, ends = now.Add(theirs), now.Add(max(ours, theirs)+aftermath)
	}
	if former := s.ownFault(now); former != 0 {
		late = max(late, former)
		if s.excuse.settled.After(settled) {
			settled = s.excuse.settled
		}
		if s.excuse.ends.After(ends) {
			ends = s.excuse.ends
		}
	}
	s.excuse = excuse{late: late, noted: now, settled: settled, ends: ends}
}

// ownFault returns by how much the loop was late shortly before now, and 0 if that
// cannot explain a fall.
func (s *session) ownFault(now time.Time) time.Duration {
	if now.After(s.excuse.ends) {
		return 0
	}
	return s.excuse.late
}

// excuses returns by how much the loop was late, if that can explain a fall.
func (s *session) excuses(now time.Time, why Diag) time.Duration {
	if why == DiagExpired && s.excuse.heard {
		return 0
	}
	return s.ownFault(now)
}

// outlived ends the excuse when a packet shows that the late turn did not cost the
// session. Otherwise a MASTER that dies within the next seconds would be excused too. One
// that may have missed our packets is still to say so, but it is not silent.
func (s *session) outlived(arrived time.Time, p *Packet) {
	x := &s.excuse
	switch {
	case p.State != Up:
	case arrived.After(x.settled):
		*x = excuse{}
	case arrived.After(x.noted):
		x.heard = true
	}
}
