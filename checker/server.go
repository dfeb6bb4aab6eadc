package checker

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/checker/health"
	"holdfast/checker/probe"
)

// A server is what all checks with the same Config.Server say together. It is up
// while all of them are well.
type server struct {
	id       string
	subjects []*subject // sorted by ID

	state    health.State // the verdict
	waitsFor string       // the server for which one of the checks waits; state is then Down
	since    time.Time    // of the verdict
	unsent   bool         // a check could not be sent the last time
	weight   *int         // nil: no answer says which
	weigher  string       // ID of the check that decided weight
}

// join adds a check to the server.
func (v *server) join(sub *subject) {
	sub.server = v
	at, _ := slices.BinarySearchFunc(v.subjects, sub, func(a, b *subject) int { return cmp.Compare(a.cfg.ID, b.cfg.ID) })
	v.subjects = slices.Insert(v.subjects, at, sub)
}

// part removes a check from the server.
func (v *server) part(sub *subject) {
	sub.server = nil
	v.subjects = slices.DeleteFunc(v.subjects, func(other *subject) bool { return other == sub })
}

// isDown reports whether others that depend on the server cannot work.
func (v *server) isDown() bool { return v.state == health.Down }

// verdict returns what the verdicts of the checks mean together, and the server for
// which one of the checks waits.
func (v *server) verdict() (all health.State, waitsFor string) {
	all = health.Up
	for _, sub := range v.subjects {
		switch {
		case sub.waitsFor != "":
			all, waitsFor = health.Down, sub.waitsFor
		case sub.health.State == health.Down:
			return health.Down, ""
		case sub.health.State == health.Unknown && all == health.Up:
			all = health.Unknown
		}
	}
	if all == health.Unknown { // until it is known, what was known counts
		return v.state, v.waitsFor
	}
	return all, waitsFor
}

// weigh returns the weight according to the latest good answers, and the ID of the
// check that moved it last; nil if no answer said anything. The weights of several
// checks apply in the order of their modes, each within the bounds of its check.
func (v *server) weigh() (weight *int, by string) {
	for mode := probe.Absolute; mode <= probe.Delta; mode++ {
		for _, sub := range v.subjects {
			said := sub.weight()
			if said == nil || said.Mode != mode {
				continue
			}
			before := sub.cfg.Weight
			if weight != nil {
				before = *weight
			}
			n := min(max(said.Of(before), sub.cfg.WeightMin), sub.cfg.WeightMax)
			weight, by = &n, sub.cfg.ID
		}
	}
	return weight, by
}

// weight returns what the latest good answer said of the weight.
func (s *subject) weight() *probe.Weight {
	if s.question == nil {
		return nil
	}
	return s.question.weight
}

// update notes what the checks say together, after the result r of one of them, or
// of none (nil) after a new configuration. It returns a Change, and whether there is
// one.
func (v *server) update(by *subject, r Result) (c Change, changed bool) {
	to, waitsFor := v.verdict()
	weight, weigher := v.weigh()
	unsent := slices.ContainsFunc(v.subjects, func(sub *subject) bool { return sub.question != nil && sub.question.last.Unsent })
	changed = to != v.state || unsent != v.unsent || waitsFor != v.waitsFor || !equal(weight, v.weight) || weigher != v.weigher
	if to == health.Unknown || !changed {
		return Change{}, false
	}
	c = Change{
		ID: v.id, Waits: waitsFor != "", Unsent: unsent, Up: to == health.Up, First: v.state == health.Unknown,
		Reason: r.Reason, At: r.At, Took: r.Took, Weight: weight, WeightBy: weigher,
	}
	switch {
	case waitsFor != "":
		c.Reason = "not asked: " + notAsked(waitsFor)
	case by != nil:
		c.Check, c.Reason = by.cfg.ID, v.reason(by, r)
	}
	if to != v.state {
		v.state, v.since = to, r.At
	}
	v.waitsFor, v.unsent = waitsFor, unsent
	v.weight, v.weigher = weight, weigher
	return c, true
}

// reason returns the result of a check in words. It names the check if the server
// has several.
func (v *server) reason(by *subject, r Result) string {
	text := r.Reason
	if text == "" {
		text = "answered"
		if n := by.health.Run.Streak; n > 1 {
			text += " " + strconv.Itoa(n) + " times in a row"
		}
	}
	if len(v.subjects) > 1 {
		text = strings.TrimPrefix(by.cfg.ID, v.id+"#") + ": " + text
	}
	return text
}

func equal(a, b *int) bool { return a == b || a != nil && b != nil && *a == *b }
