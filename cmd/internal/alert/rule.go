package alert

import (
	"path"
	"slices"
	"strings"
	"time"

	"holdfast/cmd/internal/event"
)

// A Rule says which failures make notices, and how many.
type Rule struct {
	Name string
	// Kinds are kinds of events that can report a failure; see Failing.
	Kinds []string
	// Subjects are shell patterns (path.Match) of subjects; empty: all. A pattern
	// without a slash also means the servers of the services that it matches.
	Subjects []string
	// Unless says when the rule is silent: while all of one of the lists is so. A pattern
	// like those of Subjects is so while another subject that matches it fails, one behind
	// an exclamation mark while none does.
	Unless [][]string
	// Open reports whether notices are sent at a time; nil: always.
	Open func(time.Time) bool
	// After is the number of failed checks of a server from which on there are
	// notices. Everything else has notices at once. 0 is 1.
	After int
	// Within is the time in which After failures count, whether or not they follow
	// each other. 0: they must follow each other.
	Within time.Duration
	// Hold is how long a subject must have failed.
	Hold time.Duration
	// Gather is how long a notice waits for others to go with it.
	Gather time.Duration
	// Every is the time between the notices of one failure; 0: there is one notice.
	Every time.Duration
	// Limit is how many notices one failure has at most; 0: no limit.
	Limit int
	// Recovery says that there is a notice when a subject has recovered. With Unpaired
	// there is one even if there was none of the failure, but not twice in a row.
	Recovery, Unpaired bool

	// With PaceCheck: Change says what is told before Every is over. With Strict the
	// time of Every goes on over a recovery.
	Pace   Pace // "": PaceClock
	Change Change
	Strict bool
	// Exit are the exit statuses of a monitor that are told; none: all but 0. OtherExit
	// are told by other rules, and count for Every and Limit of this one too.
	Exit, OtherExit Statuses
	// AckUntilChange ends an acknowledgement when the first line that the monitor
	// prints changes.
	AckUntilChange bool

	// Startup says that there is a notice of the start of the daemon, and with
	// StartupOnReload of each reload; Acks that there is one of an acknowledgement.
	Startup, StartupOnReload, Acks bool
}

// Kinds are the kinds of events that a rule can have.
var Kinds = []string{
	event.KindInstance, event.KindGroup, event.KindRival, event.KindService, event.KindServer,
	event.KindTracker, event.KindBFD, event.KindProblem,
}

// Failing reports whether an event says that its subject fails, or has recovered. An
// event that says neither is not known.
func Failing(e *event.Event) (failing, known bool) {
	if e.Snapshot {
		return false, false
	}
	switch e.Kind {
	case event.KindInstance, event.KindGroup:
		// A virtual router that is gone or stopped has no fault any more.
		return e.To == event.Fault, true
	case event.KindService, event.KindServer:
		return e.To == event.Down, e.To == event.Down || e.To == event.Up || e.To == event.Deleted
	case event.KindRival:
		return e.To == event.RivalSeen, true
	case event.KindTracker, event.KindBFD:
		down := strings.EqualFold(e.To, event.Down)
		return down, down || strings.EqualFold(e.To, event.Up)
	case event.KindProblem:
		return e.To == event.ProblemFound, true
	}
	return false, false
}

// concerns reports whether the rule is about a subject.
func (r *Rule) concerns(s subject) bool {
	return slices.Contains(r.Kinds, s.Kind) && (len(r.Subjects) == 0 || matchesAny(r.Subjects, s.Name))
}

// hears reports whether an event about a subject matters to the rule.
func (r *Rule) hears(s subject) bool { return r.isClock() && r.concerns(s) }

func (r *Rule) isClock() bool { return r.Pace == PaceClock || r.Pace == "" }

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return Matches(p, name) })
}

// Matches reports whether a pattern means a subject. A pattern that means a service
// also means its servers.
func Matches(pattern, name string) bool {
	if ok, _ := path.Match(pattern, name); ok { // the configuration has valid patterns
		return true
	}
	service, _, isServer := strings.Cut(name, "/")
	if !isServer || strings.Contains(pattern, "/") {
		return false
	}
	ok, _ := path.Match(pattern, service)
	return ok
}
