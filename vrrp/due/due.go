// Package due keeps items in the order in which they become due.
//
// A [Queue] is a priority queue of deadlines for a loop that sleeps until the
// next one. It has no clock, goroutine or lock: the caller says when an item is
// due and asks what is due by now.
//
// What is queued holds its [Item] as a field, so queueing it allocates nothing
// once the queue has grown to its size:
//
//	type session struct {
//		timer due.Item[*session]
//		…
//	}
//
//	s.timer.Value = s              // once
//	queue.Set(&s.timer, deadline)  // whenever the deadline changes
//
//	for {
//		sleepUntil(queue.Next())
//		now := time.Now()
//		for s := queue.Due(now); s != nil; s = queue.Due(now) {
//			queue.Set(s, s.Value.expire(now)) // the zero time takes it out
//		}
//	}
//
// The loop ends only if every item that is due gets a later deadline or leaves
// the queue.
package due

import "time"

// An Item is one entry of a [Queue]. The zero Item is in no queue. It must not
// be copied while it is queued, and belongs to one queue at a time.
type Item[T any] struct {
	// Value is what is due. The queue does not read it.
	Value T
	at    time.Time
	pos   int // index in the queue plus one, 0 when it is in none
}

// At returns when the item is due, and the zero time when it is not queued.
func (i *Item[T]) At() time.Time { return i.at }

// A Queue holds items, the earliest first. Items that are due at the same time
// come in no particular order. The zero Queue is empty and ready to use.
type Queue[T any] struct {
	heap []entry[T] // each entry is due no later than its children
}

// An entry holds the time beside the item, and has four children: with many items, most of
// the time of a binary heap of pointers goes into waiting for memory.
type entry[T any] struct {
	at   time.Time
	item *Item[T]
}

// children is how many children an entry has.
const children = 4

// Len returns the number of items in the queue.
func (q *Queue[T]) Len() int { return len(q.heap) }

// Set queues an item, or moves it if it is queued already. The zero time takes
// it out of the queue.
func (q *Queue[T]) Set(i *Item[T], at time.Time) {
	e := entry[T]{at, i}
	switch {
	case at.IsZero():
		q.Remove(i)
	case i.pos == 0:
		q.heap = append(q.heap, e)
		q.up(e, len(q.heap)-1)
	case at.Before(i.at):
		q.up(e, i.pos-1)
	default:
		q.down(e, i.pos-1)
	}
}

// Remove takes an item out of the queue. It does nothing if the item is in none.
func (q *Queue[T]) Remove(i *Item[T]) {
	if i.pos == 0 {
		return
	}
	hole, end := i.pos-1, len(q.heap)-1
	last := q.heap[end]
	q.heap[end] = entry[T]{}
	q.heap = q.heap[:end]
	if last.item != i {
		if last.at.Before(i.at) {
			q.up(last, hole)
		} else {
			q.down(last, hole)
		}
	}
	i.at, i.pos = time.Time{}, 0
}

// Next returns when the first item is due. The zero time means never: the queue
// is empty.
func (q *Queue[T]) Next() time.Time {
	if len(q.heap) == 0 {
		return time.Time{}
	}
	return q.heap[0].at
}

// Due returns the first item, still queued, if it is due at now or earlier, and
// nil otherwise.
func (q *Queue[T]) Due(now time.Time) *Item[T] {
	if len(q.heap) == 0 || q.heap[0].at.After(now) {
		return nil
	}
	return q.heap[0].item
}

// up puts an entry where index hole is, or nearer to the front. The entry that was
// there must have been moved away.
func (q *Queue[T]) up(e entry[T], hole int) {
	for hole > 0 {
		parent := (hole - 1) / children
		if !e.at.Before(q.heap[parent].at) {
			break
		}
		q.put(q.heap[parent], hole)
		hole = parent
	}
	q.put(e, hole)
}

// down puts an entry where index hole is, or farther from the front.
func (q *Queue[T]) down(e entry[T], hole int) {
	for {
		first := children*hole + 1
		if first >= len(q.heap) {
			break
		}
		child := first
		for other := first + 1; other < min(first+children, len(q.heap)); other++ {
			if q.heap[other].at.Before(q.heap[child].at) {
				child = other
			}
		}
		if !q.heap[child].at.Before(e.at) {
			break
		}
		q.put(q.heap[child], hole)
		hole = child
	}
	q.put(e, hole)
}

func (q *Queue[T]) put(e entry[T], index int) {
	q.heap[index] = e
	e.item.at, e.item.pos = e.at, index+1
}
