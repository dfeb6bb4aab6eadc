package alert

import (
	"strings"
	"time"

	"holdfast/cmd/internal/event"
)

// A subject is what an event is about.
type subject struct {
	Kind string
	Name string
	// Detail tells the problems of one subject apart; it is for [event.KindProblem].
	Detail string
}

// subjectOf returns the subject of an event. One virtual router can have several
// problems in the kernel, and each of them ends by itself.
func subjectOf(e *event.Event) subject {
	s := subject{Kind: e.Kind, Name: e.Subject}
	if e.Kind == event.KindProblem {
		d := e.Detail
		s.Detail = strings.Join([]string{d["object"], d["name"], d["interface"], d["address"]}, " ")
	}
	return s
}

// A problem is one subject in one rule, from its failure to the notice of its
// recovery.
type problem struct {
	subject
	failing  bool
	since    time.Time // of the failure
	reason   string
	failures int         // since then
	recent   []time.Time // of failures within the rule's time, oldest first
	notices  int         // of this failure
	last     time.Time   // when the latest of them was made
	acked    Ack         // the zero Ack: nobody has acknowledged it
	recovery bool        // the notice of the recovery waits
	until    time.Time   // of the recovery

	// With PaceCheck.
	told    *event.Run // what alerts are told of the latest run; nil after a restart
	ready   bool       // the latest run is to be told
	counted int        // failures in the window
	window  time.Time  // when it began
	held    time.Time  // since when the time of Hold counts; zero: since the failure
	started bool       // the program of the start was called, and the monitor has not run yet
	lapsed  bool       // the failure was reported by a trap whose time is over
}

// fail counts a failure. One that comes before anybody was told of the recovery goes
// on with the former one.
func (p *problem) fail(r *Rule, now time.Time, reason string) {
	switch {
	case p.failing:
	case p.recovery:
		p.failing, p.recovery = true, false
	default:
		sent := 0
		if p.started {
			sent = p.notices
		}
		*p = problem{subject: p.subject, recent: p.recent, last: p.last, notices: sent, failing: true, since: now}
	}
	p.reason = reason
	p.failures++
	if r.Within > 0 && r.Pace != PaceCheck {
		p.recent = append(p.trimmed(r, now), now)
		if over := len(p.recent) - max(r.After, 1); over > 0 {
			p.recent = p.recent[over:]
		}
	}
}

// count notes that somebody was told.
func (p *problem) count(now time.Time) {
	p.notices++
	p.last = now
	p.ready = false
}

// trimmed returns the failures that still count for Within.
func (p *problem) trimmed(r *Rule, now time.Time) []time.Time {
	i := 0
	for i < len(p.recent) && now.Sub(p.recent[i]) > r.Within {
		i++
	}
	return p.recent[i:]
}

// recover ends the failure.
func (p *problem) recover(r *Rule, now time.Time) {
	p.recovery = r.Recovery && (p.notices > 0 || r.Unpaired) && !p.lapsed
	p.failing, p.until, p.acked, p.lapsed = false, now, Ack{}, false
	p.failures = 0
	if !r.Strict {
		p.last = time.Time{}
	}
}

// over reports whether nothing of p is needed any more.
func (p *problem) over(r *Rule, now time.Time) bool {
	if p.started && !p.failing || r.Strict && !p.failing && now.Sub(p.last) < r.Every {
		return false
	}
	return !p.failing && !p.recovery && (r.Within == 0 || len(p.trimmed(r, now)) == 0)
}

// enough reports whether there were as many failures as the rule wants. Only servers
// are checked again and again while they fail: what is not checked fails once.
func (p *problem) enough(r *Rule) bool {
	if p.Kind != event.KindServer {
		return true
	}
	if r.Within > 0 {
		return len(p.recent) >= max(r.After, 1)
	}
	return p.failures >= r.After
}

// due returns when the next notice may be made. It reports false if only another
// event can lead to one.
func (p *problem) due(r *Rule) (time.Time, bool) {
	switch {
	case !p.failing:
		return p.until, p.recovery
	case r.Pace == PaceCheck:
		return p.since, p.ready
	case p.acked != Ack{}, r.Limit > 0 && p.notices >= r.Limit:
		return time.Time{}, false
	case p.notices > 0:
		return p.last.Add(r.Every), r.Every > 0
	}
	return p.since.Add(r.Hold), p.enough(r)
}
