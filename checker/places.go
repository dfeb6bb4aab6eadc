package checker

import "time"

// places bound how many attempts of one kind of check run at once. The lock of the
// Set guards them.
type places struct {
	limit   int
	taken   int
	waiting []*question // due, and not in the queue of the Set; the first is next
}

// Pace replaces Options.Limit, and the time over which the first attempts of new checks
// are spread, but not over more than their interval.
func (s *Set) Pace(limit int, spread time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit, s.spread = limit, spread
	s.rouse()
}

// SetLimit bounds how many attempts of a kind of check run at once. Others wait, and
// begin in the order in which they were due.
func (s *Set) SetLimit(kind string, limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.places[kind]
	if p == nil {
		p = &places{}
		if s.places == nil {
			s.places = map[string]*places{}
		}
		s.places[kind] = p
	}
	p.limit = limit
	for range limit - p.taken {
		s.callNext(p)
	}
}

// takePlace takes a place for an attempt. If there is none, the question waits.
func (s *Set) takePlace(q *question) bool {
	p := s.places[q.cfg.Probe.Kind()]
	if p == nil {
		return true
	}
	if p.taken >= p.limit {
		p.waiting = append(p.waiting, q)
		q.waiting = true
		return false
	}
	p.taken++
	q.placed = true
	return true
}

// freePlace gives back the place of an attempt that has ended.
func (s *Set) freePlace(q *question) {
	if !q.placed {
		return
	}
	p := s.places[q.cfg.Probe.Kind()]
	p.taken--
	q.placed = false
	s.callNext(p)
}

// callNext puts the next question that waits back into the queue, where it is due.
func (s *Set) callNext(p *places) {
	for len(p.waiting) > 0 {
		q := p.waiting[0]
		p.waiting = p.waiting[1:]
		q.waiting = false
		if !q.over {
			s.queue.Set(&q.timer, q.at)
			s.rouse()
			return
		}
	}
}
