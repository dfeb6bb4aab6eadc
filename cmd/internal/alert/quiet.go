package alert

import (
	"slices"
	"strings"
)

// A silence is what is known, at one moment, of the conditions under which a rule is
// silent: it is silent while all of one list are so.
type silence [][]witness

// A witness is one pattern of a condition, with two subjects that match it and fail; fewer
// if there are no two. Two are enough, because a subject does not silence itself.
type witness struct {
	well    bool // the pattern is so while none of them fails
	failing []subject
}

// quiet looks at the conditions of a rule.
func (e *Engine) quiet(r *ruleState) silence {
	if len(r.Unless) == 0 {
		return nil
	}
	all := make(silence, len(r.Unless))
	for i, list := range r.Unless {
		for _, pattern := range list {
			name, well := strings.CutPrefix(pattern, "!")
			all[i] = append(all[i], witness{well, e.failingLike(name)})
		}
	}
	return all
}

func (e *Engine) failingLike(pattern string) (found []subject) {
	for s := range e.failing {
		if Matches(pattern, s.Name) {
			if found = append(found, s); len(found) == 2 {
				break
			}
		}
	}
	return found
}

// about reports whether a rule is silent about a problem.
func (all silence) about(p *problem) bool {
	return p.failing && slices.ContainsFunc(all, func(list []witness) bool {
		return !slices.ContainsFunc(list, func(w witness) bool {
			fails := slices.ContainsFunc(w.failing, func(s subject) bool { return s != p.subject })
			return fails == w.well
		})
	})
}

// heeds reports whether a condition of the rule is about a subject.
func (r *ruleState) heeds(name string) bool {
	return slices.ContainsFunc(r.Unless, func(list []string) bool {
		return slices.ContainsFunc(list, func(pattern string) bool { return Matches(strings.TrimPrefix(pattern, "!"), name) })
	})
}
