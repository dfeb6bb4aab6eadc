package bfd

import "time"

// A heap keeps sessions by deadline, the earliest first. Sessions without a
// deadline are not in it.
type heap []*session

func (h heap) less(i, j int) bool { return h[i].deadline.Before(h[j].deadline) }

func (h heap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].slot, h[j].slot = i, j
}

// set gives s a new deadline; the zero time takes it out.
func (h *heap) set(s *session, deadline time.Time) {
	s.deadline = deadline
	switch {
	case deadline.IsZero():
		h.remove(s)
		return
	case s.slot < 0:
		s.slot = len(*h)
		*h = append(*h, s)
	}
	h.fix(s.slot)
}

func (h *heap) remove(s *session) {
	if s.slot < 0 {
		return
	}
	i, last := s.slot, len(*h)-1
	h.swap(i, last)
	(*h)[last] = nil
	*h = (*h)[:last]
	if i < last {
		h.fix(i)
	}
	s.slot = -1
}

// fix moves the session at i to where it belongs.
func (h heap) fix(i int) {
	for {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < len(h) && h.less(child, least) {
				least = child
			}
		}
		if least == i {
			break
		}
		h.swap(i, least)
		i = least
	}
	for parent := (i - 1) / 2; i > 0 && h.less(i, parent); parent = (i - 1) / 2 {
		h.swap(i, parent)
		i = parent
	}
}

// next returns the earliest deadline; the zero time is never.
func (h heap) next() time.Time {
	if len(h) == 0 {
		return time.Time{}
	}
	return h[0].deadline
}
