package director

import (
	"cmp"
	"maps"
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

// set replaces the problems that one source knows. A problem whose text alone
// differs is the same one: an error that says how long something took must not make
// two events at every look.
func (p *problems) set(source string, now []status.Problem) {
	before, after := maps.Clone(p.bySource[source]), map[status.Problem]time.Time{}
	var others []status.Problem // of now that are not known with this text
	for _, one := range now {
		if since, known := before[one]; known {
			after[one] = since
			delete(before, one)
		} else if _, twice := after[one]; !twice && !slices.Contains(others, one) {
			others = append(others, one)
		}
	}
	for _, one := range others {
		if known, ok := reworded(before, one); ok {
			after[one] = before[known]
			delete(before, known)
			continue
		}
		after[one] = time.Now()
		p.log.Error("problem", "object", one.Kind, "name", one.Name, "err", one.Text)
		p.publishProblem(one, event.ProblemFound)
	}
	for one := range before {
		p.log.Info("problem is gone", "object", one.Kind, "name", one.Name, "was", one.Text)
		p.publishProblem(one, event.ProblemGone)
	}
	if p.bySource == nil {
		p.bySource = map[string]map[status.Problem]time.Time{}
	}
	p.bySource[source] = after
}

// reworded returns the problem among known that differs from one in its text alone.
func reworded(known map[status.Problem]time.Time, one status.Problem) (status.Problem, bool) {
	for other := range known {
		text := other.Text
		if other.Text = one.Text; other == one {
			other.Text = text
			return other, true
		}
	}
	return status.Problem{}, false
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
