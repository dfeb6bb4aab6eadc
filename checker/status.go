package checker

import (
	"holdfast/checker/health"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A Change is a verdict on a subject: the first one, or another than before.
type Change struct {
	ID string
	Up bool
	// First is true of the first verdict since the ID came to the Set.
	First bool
	// Reason is what the latest attempt found: "connect: connection refused",
	// or "answered 3 times in a row".
	Reason string
	At     time.Time     // when the latest attempt ended
	Took   time.Duration // how long that took
}

// A Result is what one attempt found.
type Result struct {
	At   time.Time     `json:"at"` // when it ended
	Took time.Duration `json:"took_ns"`
	OK   bool          `json:"ok"`
	// Inconclusive results say nothing of the server, because the attempt
	// failed for want of something here (file descriptors, ports, a right), or
	// because this process stood still. They make no verdict.
	Inconclusive bool   `json:"inconclusive,omitempty"`
	Reason       string `json:"reason,omitempty"` // "" if OK
}

// Counts are totals since the question was first asked.
type Counts struct {
	Attempts     uint64 `json:"attempts"`
	Successes    uint64 `json:"successes"`
	Failures     uint64 `json:"failures"`
	Inconclusive uint64 `json:"inconclusive"`
	Overruns     uint64 `json:"overruns"` // attempts that outlasted the interval
}

// A Status is what is known of one subject. Subjects whose questions are the
// same share Last, Failures, Counts, MaxLate and NextDue.
type Status struct {
	ID      string         `json:"id"`
	Kind    string         `json:"type"`
	Address netip.AddrPort `json:"address"`
	State   State          `json:"state"`
	// Up is what the subject counts as: differs from State while that is unknown.
	Up    bool      `json:"up"`
	Since time.Time `json:"since,omitzero"` // of the verdict; zero without one
	// Streak is how many results in a row were like the last conclusive one.
	Streak int     `json:"streak"`
	Last   *Result `json:"last,omitempty"`
	// Failures are the latest ones, newest first, successes left out.
	Failures []Result      `json:"failures,omitempty"`
	Counts   Counts        `json:"counts"`
	MaxLate  time.Duration `json:"max_late_ns"` // the latest that an attempt has begun after it could
	NextDue  time.Time     `json:"next_due,omitzero"`
	Running  bool          `json:"running,omitempty"`
	Shared   int           `json:"shared"` // subjects that share the question
}

// A State is what is known of a subject.
type State string

// The states.
const (
	Unknown State = "unknown" // no verdict yet: counts as down unless InitiallyUp
	Up      State = "up"
	Down    State = "down"
)

// Status returns what is known of every subject, sorted by ID.
func (s *Set) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Status, 0, len(s.subjects))
	for _, sub := range s.subjects {
		all = append(all, sub.status())
	}
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.ID, b.ID) })
	return all
}

func (s *subject) status() Status {
	st := Status{
		ID: s.cfg.ID, Kind: s.cfg.Probe.Kind(), Address: s.cfg.Address,
		State: State(s.health.State.String()), Up: s.health.Counts() == health.Up, Since: s.since, Streak: s.health.Run.Streak,
	}
	q := s.question
	if q == nil {
		return st
	}
	st.Failures = slices.Clone(q.failures)
	st.Counts, st.MaxLate, st.Shared = q.counts, q.maxLate, len(q.subjects)
	if q.running {
		st.Running = true
	} else {
		st.NextDue = q.at
	}
	if q.counts.Attempts > 0 {
		last := q.last
		st.Last = &last
	}
	return st
}
