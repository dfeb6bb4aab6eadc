package checker

import (
	"slices"
	"strings"
	"time"

	"holdfast/checker/health"
	"holdfast/checker/probe"
)

// and stands between the servers of a list. No name has a blank.
const and = " and "

// linkDependents notes which servers depend on which.
func (s *Set) linkDependents() {
	s.waiting = make(map[string][]*server)
	for _, sub := range s.subjects {
		for _, on := range slices.Concat(sub.cfg.Depends...) {
			if !slices.Contains(s.waiting[on], sub.server) {
				s.waiting[on] = append(s.waiting[on], sub.server)
			}
		}
	}
}

// judgeWaiting notes which checks of a server wait for another server.
func (s *Set) judgeWaiting(v *server) {
	for _, sub := range v.subjects {
		waitsFor := s.downAmong(sub.cfg.Depends)
		switch {
		case waitsFor == "" && sub.waitsFor != "":
			s.resume(sub)
		case waitsFor != "" && sub.waitsFor == "" && sub.question != nil:
			// What was known of the server is out of date when it is asked again.
			sub.health.State, sub.health.Assumed, sub.health.Run = health.Unknown, health.Down, health.Run{}
		}
		sub.waitsFor = waitsFor
		if sub.question != nil {
			sub.question.tellWaiter()
		}
	}
}

// tellWaiter tells a prober that asks for several servers whether to ask for this one.
func (q *question) tellWaiter() {
	if w, ok := q.prober.(probe.Waiter); ok {
		w.Wait(!slices.ContainsFunc(q.subjects, func(sub *subject) bool { return sub.waitsFor == "" }))
	}
}

// downAmong returns the servers of the first list whose servers are all down, with "and"
// between them; "" if there is no such list.
func (s *Set) downAmong(lists [][]string) string {
	well := func(id string) bool {
		v := s.servers[id]
		return v == nil || !v.isDown()
	}
	for _, list := range lists {
		if !slices.ContainsFunc(list, well) {
			return strings.Join(list, and)
		}
	}
	return ""
}

// notAsked says why a check is not made.
func notAsked(waitsFor string) string {
	if strings.Contains(waitsFor, and) {
		return "depends on " + waitsFor + ", which are down"
	}
	return "depends on " + waitsFor + ", which is down"
}

// resume asks for a check that has waited, at once.
func (s *Set) resume(sub *subject) {
	q := sub.question
	if now := time.Now(); q != nil && !q.running && q.at.After(now) {
		q.at = now
		s.queue.Set(&q.timer, q.at)
		s.rouse()
	}
}

// tellDependents reports what it means for others that v went down or came back.
func (s *Set) tellDependents(v *server, at time.Time) {
	for _, other := range s.waiting[v.id] {
		s.judgeWaiting(other)
		s.report(other, nil, Result{At: at, Reason: v.id + " is up"})
	}
}
