package alert

import (
	"cmp"
	"slices"
	"time"
)

// Saved is a problem as it outlives the daemon: without it a restart would alert of
// everything that fails once more.
type Saved struct {
	Rule     string    `json:"rule"`
	Kind     string    `json:"kind"`
	Subject  string    `json:"subject"`
	Reason   string    `json:"reason,omitempty"`
	Since    time.Time `json:"since"`
	Failures int       `json:"failures"`
	Notices  int       `json:"notices"`
	Last     time.Time `json:"last,omitzero"`
	Acked    string    `json:"acked,omitempty"`
}

// Save returns the problems that fail, sorted.
func (e *Engine) Save() []Saved {
	saved := []Saved{}
	for _, r := range e.rules {
		for s, p := range r.problems {
			if p.failing {
				saved = append(saved, Saved{r.Name, s.Kind, s.Name, p.reason, p.since, p.failures, p.notices, p.last, p.acked})
			}
		}
	}
	slices.SortFunc(saved, func(a, b Saved) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Subject, b.Subject))
	})
	return saved
}

// Restore takes over what another run has saved, after Configure. Whatever has
// recovered meanwhile is well at its next event.
func (e *Engine) Restore(saved []Saved) {
	for _, v := range saved {
		s := subject{v.Kind, v.Subject}
		for _, r := range e.rules {
			if r.Name != v.Rule || !r.concerns(s) || r.problems[s] != nil {
				continue
			}
			e.failing[s] = failure{v.Since, v.Reason}
			r.problems[s] = &problem{
				subject: s, failing: true, since: v.Since, reason: v.Reason,
				failures: v.Failures, notices: v.Notices, last: v.Last, acked: v.Acked,
			}
		}
	}
}
