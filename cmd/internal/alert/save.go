package alert

import (
	"cmp"
	"slices"
	"time"

	"holdfast/cmd/internal/event"
)

// Saved is a problem as it outlives the daemon: without it a restart would alert of
// everything that fails once more.
type Saved struct {
	Rule     string    `json:"rule,omitempty"` // "": it only makes rules silent
	Kind     string    `json:"kind"`
	Subject  string    `json:"subject"`
	Detail   string    `json:"detail,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Since    time.Time `json:"since"`
	Failures int       `json:"failures"`
	Notices  int       `json:"notices"`
	Last     time.Time `json:"last,omitzero"`
	Acked    string    `json:"acked,omitempty"` // by whom; "": nobody has
	Comment  string    `json:"ack_comment,omitempty"`
	// Until is when it was over; it is saved while the notice of that waits.
	Until time.Time `json:"until,omitzero"`
}

// doubtFor is how long a failure that another run has seen is believed. Nothing tells
// a new run of a rival or a problem in the kernel that ended between the runs.
const doubtFor = 2 * time.Minute

// Save returns the problems that are not over, sorted.
func (e *Engine) Save() []Saved {
	saved := []Saved{}
	for _, r := range e.rules {
		for s, p := range r.problems {
			if !p.failing && !p.recovery {
				continue
			}
			v := Saved{r.Name, s.Kind, s.Name, s.Detail, p.reason, p.since, p.failures, p.notices, p.last, p.acked.By, p.acked.Comment, time.Time{}}
			if !p.failing {
				v.Until = p.until
			}
			saved = append(saved, v)
		}
	}
	for s, f := range e.failing {
		if slices.ContainsFunc(e.rules, func(r *ruleState) bool { return r.heeds(s.Name) }) {
			saved = append(saved, Saved{Kind: s.Kind, Subject: s.Name, Detail: s.Detail, Reason: f.reason, Since: f.since})
		}
	}
	slices.SortFunc(saved, func(a, b Saved) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Detail, b.Detail))
	})
	return saved
}

// Restore takes over what another run has saved, after Configure and SetExists.
// Whatever has recovered meanwhile is well at its next event.
func (e *Engine) Restore(saved []Saved, now time.Time) {
	for _, v := range saved {
		s := subject{v.Kind, v.Subject, v.Detail}
		if v.Until.IsZero() {
			e.failing[s] = failure{v.Since, v.Reason, true}
		}
		for _, r := range e.rules {
			if r.Name != v.Rule || !r.concerns(s) || r.problems[s] != nil {
				continue
			}
			r.problems[s] = &problem{
				subject: s, failing: v.Until.IsZero(), recovery: !v.Until.IsZero(), until: v.Until, since: v.Since, reason: v.Reason,
				failures: v.Failures, notices: v.Notices, last: v.Last, acked: Ack{v.Acked, v.Comment},
			}
		}
	}
	e.doubtUntil = now.Add(doubtFor)
	e.SetExists(now, e.exists)
}

// settle ends the rivals and problems that another run has seen and this one has not,
// once there was time to see them. It returns when to look again; zero: never.
func (e *Engine) settle(now time.Time) time.Time {
	if e.doubtUntil.After(now) {
		return e.doubtUntil
	}
	if e.doubtUntil.IsZero() {
		return time.Time{}
	}
	e.doubtUntil = time.Time{}
	for s, f := range e.failing {
		if f.doubt && (s.Kind == event.KindRival || s.Kind == event.KindProblem) {
			e.note(s, false, now, "")
		}
	}
	return time.Time{}
}
