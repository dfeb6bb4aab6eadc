package speaker

import "time"

// A heap keeps groups by deadline, the earliest first. Groups without a
// deadline are not in it. (container/heap would box every element.)
type heap []*group

func (h heap) less(i, j int) bool { return h[i].deadline.Before(h[j].deadline) }

func (h heap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].slot, h[j].slot = i, j
}

// set gives g a new deadline; the zero time takes it out.
func (h *heap) set(g *group, deadline time.Time) {
	if deadline.Equal(g.deadline) {
		return
	}
	g.deadline = deadline
	switch {
	case deadline.IsZero():
		h.remove(g)
	case g.slot < 0:
		g.slot = len(*h)
		*h = append(*h, g)
		h.up(g.slot)
	default:
		h.down(g.slot)
		h.up(g.slot)
	}
}

func (h *heap) remove(g *group) {
	if g.slot < 0 {
		return
	}
	i, last := g.slot, len(*h)-1
	h.swap(i, last)
	(*h)[last] = nil
	*h = (*h)[:last]
	if i < last {
		h.down(i)
		h.up(i)
	}
	g.slot = -1
}

func (h heap) up(i int) {
	for parent := (i - 1) / 2; i > 0 && h.less(i, parent); parent = (i - 1) / 2 {
		h.swap(i, parent)
		i = parent
	}
}

func (h heap) down(i int) {
	for {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < len(h) && h.less(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}

// next returns the earliest deadline; the zero time is never.
func (h heap) next() time.Time {
	if len(h) == 0 {
		return time.Time{}
	}
	return h[0].deadline
}
