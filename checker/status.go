package checker

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"holdfast/checker/health"
	"holdfast/checker/probe"
	"holdfast/vrrp/histogram"
)

// A Change is a new verdict on a server, or a new weight of it. It holds the whole
// state of the server, so that a newer Change replaces an older one.
type Change struct {
	ID    string // Config.Server
	Check string // the Config.ID of the check whose result made the Change
	Up    bool
	// Waits says that the server counts as down only because one that it depends on is
	// down. The checks say nothing of it meanwhile.
	Waits bool
	// Unsent says that a check of the server could not be sent the last time.
	Unsent bool
	// First says that this is the first verdict since the server is in the Set.
	First bool
	// Reason is the result of the latest attempt: "connect: connection refused" or
	// "answered 3 times in a row". It names the check if the server has several.
	Reason string
	At     time.Time     // when the latest attempt ended
	Took   time.Duration // how long it took
	// Weight is the weight that the server should have according to the latest good
	// answers, within the bounds of the checks; nil if no answer says which.
	Weight *int
	// WeightBy is the Config.ID of the check that decided Weight.
	WeightBy string
}

// A Result is the result of one attempt.
type Result struct {
	At   time.Time     `json:"at"` // when it ended
	Took time.Duration `json:"took_ns"`
	OK   bool          `json:"ok"`
	// Inconclusive says that the attempt failed because of this host: it lacked file
	// descriptors, ports or a permission, or this process was stopped. Such a result
	// does not change the verdict.
	Inconclusive bool `json:"inconclusive,omitempty"`
	// Unsent says that the attempt failed because this host could not send it: it has
	// no route, or not the source address or device. Another director may reach the
	// server. Such a result counts as a failure.
	Unsent bool   `json:"unsent,omitempty"`
	Reason string `json:"reason,omitempty"` // "" if OK
	// Weight is what the answer says of the weight; nil if it says nothing.
	Weight *probe.Weight `json:"weight,omitempty"`
	// Warning is what people should know of a server that is well: "the certificate
	// of www.example.com expires on 2026-12-11 12:00 UTC".
	Warning string `json:"warning,omitempty"`
}

// Counts are totals since the first attempt.
type Counts struct {
	Attempts     uint64 `json:"attempts"`
	Successes    uint64 `json:"successes"`
	Failures     uint64 `json:"failures"`
	Unsent       uint64 `json:"unsent"` // of the failures
	Inconclusive uint64 `json:"inconclusive"`
	Overruns     uint64 `json:"overruns"` // attempts that took longer than the interval
}

// A Status is what is known of one subject. Subjects that share a question have the
// same Last, Failures, Counts, MaxLate and NextDue.
type Status struct {
	ID      string         `json:"id"`
	Server  string         `json:"server"` // whose check it is
	Kind    string         `json:"type"`
	Address netip.AddrPort `json:"address"`
	State   State          `json:"state"`
	// Up says whether the subject counts as up. While State is Unknown, that is
	// Config.InitiallyUp.
	Up    bool      `json:"up"`
	Since time.Time `json:"since,omitzero"` // of the verdict; zero without one
	// Streak is how many conclusive results in a row were the same.
	Streak int     `json:"streak"`
	Last   *Result `json:"last,omitempty"`
	// Recent has the latest results, the newest last: "+" good, "-" bad, "!" not sent,
	// "?" inconclusive. Latency is of the good ones among them; nil without one.
	Recent  string   `json:"recent,omitempty"`
	Latency *Latency `json:"latency,omitempty"`
	// Failures are the latest failures, newest first.
	Failures []Result      `json:"failures,omitempty"`
	Counts   Counts        `json:"counts"`
	MaxLate  time.Duration `json:"max_late_ns"` // longest delay of an attempt by this process, to a thousandth
	NextDue  time.Time     `json:"next_due,omitzero"`
	Running  bool          `json:"running,omitempty"`
	// NotAsked says why no attempt is made at present: "outside its period".
	NotAsked string `json:"not_asked,omitempty"`
	Shared   int    `json:"shared"` // subjects that share the question
	// CertificateEnds is when the certificate that the server showed last ends to be
	// valid; zero without one.
	CertificateEnds time.Time `json:"certificate_ends,omitzero"`
	// Weight is what the latest good answer that said anything of the weight said.
	Weight *probe.Weight `json:"weight,omitempty"`
}

// A State is the verdict on a subject.
type State string

// The states.
const (
	Unknown State = "unknown" // no verdict yet; counts as down unless Config.InitiallyUp is set
	Up      State = "up"
	Down    State = "down"
	// Waiting is a check that is not made because a server that it depends on is down.
	Waiting State = "waiting"
)

// Status returns what is known of every subject, sorted by ID.
func (s *Set) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	subjects := slices.SortedFunc(maps.Values(s.subjects), func(a, b *subject) int { return strings.Compare(a.cfg.ID, b.cfg.ID) })
	all := make([]Status, len(subjects))
	for i, sub := range subjects { // each is large
		all[i] = sub.status()
	}
	return all
}

// Timing counts what all attempts of a Set took, since it was made.
type Timing struct {
	Lateness *histogram.Snapshot            // by how much they began after they were due
	Duration map[string]*histogram.Snapshot // of the conclusive ones, by kind
}

// Timing returns what was counted so far.
func (s *Set) Timing() Timing {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := Timing{Lateness: s.lateness.Snapshot(), Duration: make(map[string]*histogram.Snapshot, len(s.durations))}
	for kind, h := range s.durations {
		t.Duration[kind] = h.Snapshot()
	}
	return t
}

// Undecided returns how many servers have no verdict yet.
func (s *Set) Undecided() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, v := range s.servers {
		if v.state == health.Unknown {
			n++
		}
	}
	return n
}

// A Warning is what the latest good answer of a server showed.
type Warning struct{ ID, Text string }

// Warnings returns all warnings, sorted by ID.
func (s *Set) Warnings() []Warning {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Warning
	for id, sub := range s.subjects {
		if q := sub.question; q != nil && q.warning != "" {
			all = append(all, Warning{id, q.warning})
		}
	}
	slices.SortFunc(all, func(a, b Warning) int { return strings.Compare(a.ID, b.ID) })
	return all
}

func (s *subject) status() Status {
	st := Status{
		ID: s.cfg.ID, Server: s.server.id, Kind: s.cfg.Probe.Kind(), Address: s.cfg.Address,
		State: State(s.health.State.String()), Up: s.health.Counts() == health.Up, Since: s.since, Streak: s.health.Run.Streak,
	}
	q := s.question
	if q == nil {
		return st
	}
	st.Weight, st.CertificateEnds = q.weight, q.certificateEnds
	st.NotAsked = q.idle(time.Now())
	if s.waitsFor != "" {
		st.State, st.Up = Waiting, false
	}
	st.Recent, st.Latency = q.history.String(), q.history.latency()
	st.Failures = slices.Clone(q.failures)
	st.Counts, st.MaxLate, st.Shared = q.counts(), q.maxLate.duration(), len(q.subjects)
	if q.running {
		st.Running = true
	} else {
		st.NextDue = q.at
	}
	if st.Counts.Attempts > 0 {
		last := q.last
		st.Last = &last
	}
	return st
}
