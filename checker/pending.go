package checker

import (
	"context"
	"sync"
)

// A pending holds Changes until they are delivered, at most one for each subject:
// a newer Change replaces the older one. So the sender never waits for a slow
// receiver.
type pending struct {
	filled chan struct{} // holds one token after a put

	mu     sync.Mutex
	order  []string // IDs by their oldest Change; those dropped since are not in newest
	newest map[string]Change
}

func newPending() *pending {
	return &pending{filled: make(chan struct{}, 1), newest: make(map[string]Change)}
}

func (p *pending) put(c Change) {
	p.mu.Lock()
	if older, ok := p.newest[c.ID]; ok {
		c.First = c.First || older.First
	} else {
		p.order = append(p.order, c.ID)
	}
	p.newest[c.ID] = c
	p.mu.Unlock()
	select {
	case p.filled <- struct{}{}:
	default:
	}
}

// drop forgets the Change of a subject that was removed.
func (p *pending) drop(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.newest, id)
}

func (p *pending) take() (c Change, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.order) > 0 && !ok {
		id := p.order[0]
		p.order = p.order[1:]
		c, ok = p.newest[id]
		delete(p.newest, id)
	}
	return c, ok
}

// deliver hands Changes to receive until ctx ends.
func (p *pending) deliver(ctx context.Context, receive func(Change)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.filled:
		}
		for ctx.Err() == nil {
			c, ok := p.take()
			if !ok {
				break
			}
			receive(c)
		}
	}
}
