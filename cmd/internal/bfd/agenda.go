package bfd

import (
	"container/heap"
	"time"
)

// An agenda has sessions by deadline, the earliest first. Sessions without a
// deadline are not in it.
type agenda struct{ order byDeadline }

// set gives s a new deadline; the zero time takes it out.
func (a *agenda) set(s *session, deadline time.Time) {
	s.deadline = deadline
	switch {
	case deadline.IsZero():
		a.remove(s)
	case s.slot < 0:
		heap.Push(&a.order, s)
	default:
		heap.Fix(&a.order, s.slot)
	}
}

func (a *agenda) remove(s *session) {
	if s.slot >= 0 {
		heap.Remove(&a.order, s.slot)
	}
}

// next returns the session with the earliest deadline, nil if there is none.
func (a *agenda) next() *session {
	if len(a.order) == 0 {
		return nil
	}
	return a.order[0]
}

// byDeadline implements heap.Interface.
type byDeadline []*session

func (b byDeadline) Len() int           { return len(b) }
func (b byDeadline) Less(i, j int) bool { return b[i].deadline.Before(b[j].deadline) }

func (b byDeadline) Swap(i, j int) {
	b[i], b[j] = b[j], b[i]
	b[i].slot, b[j].slot = i, j
}

func (b *byDeadline) Push(s any) {
	one := s.(*session)
	one.slot = len(*b)
	*b = append(*b, one)
}

func (b *byDeadline) Pop() any {
	last := len(*b) - 1
	s := (*b)[last]
	(*b)[last] = nil
	*b, s.slot = (*b)[:last], -1
	return s
}
