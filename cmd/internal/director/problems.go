package director

import (
	"cmp"
	"slices"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
)

// problems is the subsystem that lists what is not as it should be and cannot be
// put right now: kernel objects that could not be repaired, and what others have in
// the kernel that is in our way. Each is in the status while it lasts, and an event
// when it comes and when it goes.
type problems struct {
	base
	bySource map[string]map[status.Problem]time.Time // since when, by Problem without Since
}

// set replaces the problems that one source knows.
func (p *problems) set(source string, now []status.Problem) {
	before, after := p.bySource[source], map[status.Problem]time.Time{}
	for _, one := range now {
		since, known := before[one]
		if _, twice := after[one]; twice {
			continue
		}
		if !known {
			since = time.Now()
			p.log.Error("problem", "object", one.Kind, "name", one.Name, "err", one.Text)
			p.publishProblem(one, event.ProblemFound)
		}
		after[one] = since
	}
	for one := range before {
		if _, still := after[one]; !still {
			p.log.Info("problem is gone", "object", one.Kind, "name", one.Name, "was", one.Text)
			p.publishProblem(one, event.ProblemGone)
		}
	}
	if p.bySource == nil {
		p.bySource = map[string]map[status.Problem]time.Time{}
	}
	p.bySource[source] = after
}

func (p *problems) publishProblem(one status.Problem, to string) {
	detail := map[string]string{"object": one.Kind, "name": one.Name}
	for key, value := range map[string]string{"interface": one.Interface, "address": one.Address} {
		if value != "" {
			detail[key] = value
		}
	}
	p.publish(event.Event{Kind: event.KindProblem, Subject: cmp.Or(one.VRRP, one.Name), To: to, Reason: one.Text, Detail: detail})
}

func (p *problems) report(s *status.Status) {
	s.Problems = []status.Problem{}
	for _, known := range p.bySource {
		for one, since := range known {
			one.Since = since
			s.Problems = append(s.Problems, one)
		}
	}
	slices.SortFunc(s.Problems, func(a, b status.Problem) int {
		return cmp.Or(cmp.Compare(a.VRRP, b.VRRP), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Text, b.Text))
	})
}
