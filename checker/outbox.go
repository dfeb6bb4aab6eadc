package checker

import (
	"context"
	"sync"
)

// An outbox holds Changes until they are delivered. It never makes the sender
// wait: while the receiver is slow, a newer Change of a subject takes the place
// of the older one, so it holds at most one for each.
type outbox struct {
	filled chan struct{} // holds one token while there may be something

	mu     sync.Mutex
	order  []string // IDs by their oldest Change; those dropped since are not in newest
	newest map[string]Change
}

func newOutbox() *outbox {
	return &outbox{filled: make(chan struct{}, 1), newest: make(map[string]Change)}
}

func (o *outbox) put(c Change) {
	o.mu.Lock()
	if older, ok := o.newest[c.ID]; ok {
		c.First = c.First || older.First
	} else {
		o.order = append(o.order, c.ID)
	}
	o.newest[c.ID] = c
	o.mu.Unlock()
	select {
	case o.filled <- struct{}{}:
	default:
	}
}

// drop forgets what waits for a subject that is no more.
func (o *outbox) drop(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.newest, id)
}

func (o *outbox) take() (c Change, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.order) > 0 && !ok {
		id := o.order[0]
		o.order = o.order[1:]
		c, ok = o.newest[id]
		delete(o.newest, id)
	}
	return c, ok
}

// deliver hands Changes to receive until ctx ends.
func (o *outbox) deliver(ctx context.Context, receive func(Change)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.filled:
		}
		for ctx.Err() == nil {
			c, ok := o.take()
			if !ok {
				break
			}
			receive(c)
		}
	}
}
