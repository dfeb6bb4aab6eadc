package checker

import (
	"slices"
	"time"

	"holdfast/checker/health"
	"holdfast/checker/probe"
)

// linkDependents notes which servers depend on which.
func (s *Set) linkDependents() {
	s.waiting = make(map[string][]*server)
	for _, sub := range s.subjects {
		for _, on := range sub.cfg.Depends {
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

// downAmong returns the first of the servers that is down, "" if none is.
func (s *Set) downAmong(ids []string) string {
	for _, id := range ids {
		if v := s.servers[id]; v != nil && v.isDown() {
			return id
		}
	}
	return ""
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
