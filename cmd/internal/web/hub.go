package web

import (
	"context"
	"sync"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
)

const (
	// beat is the time between two looks at a director in which nothing happens. The
	// kernel measures rates every two seconds.
	beat = 2 * time.Second
	// shortPause is the time between two looks when events happen.
	shortPause = 250 * time.Millisecond
	// share is the part of the time that looks may take: with 20, looks that take
	// 100 ms come every two seconds at most.
	share = 20
	// longestPause is the time between two looks at most. The page takes a director that
	// says nothing for 25 s for lost (assets/stream.js).
	longestPause = 10 * time.Second
	// maxRate bounds the bytes per second of a stream before compression, except for
	// the first message.
	maxRate = 256 << 10
	// shownEvents is how many past events a page gets.
	shownEvents = 2000
)

// A hub looks at the director while at least one page is open, and makes one message
// of each look for all of them.
type hub struct {
	status  func(context.Context) (*status.Status, error)
	journal *event.Journal
	peers   *peers

	mu      sync.Mutex
	readers int
	stop    context.CancelFunc // of the goroutine that looks; nil if no page is open
	// number counts the looks of all times. The snapshot and the messages belong to
	// the latest one: delta leads to it from the one before.
	number  uint64
	current *snapshot
	seq     uint64 // of the latest event that messages have had
	delta   *message
	state   *message      // made when a reader needs it
	arrived chan struct{} // closed at the next look
}

// join counts a reader and starts to look when it is the first. The reader calls leave
// at its end.
func (h *hub) join() (leave func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.readers++; h.readers == 1 {
		ctx, cancel := context.WithCancel(context.Background())
		h.stop, h.arrived = cancel, make(chan struct{})
		go h.run(ctx)
	}
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.readers--; h.readers == 0 {
			h.stop()
			h.current, h.delta, h.state = nil, nil, nil
		}
	})
}

// next waits for a look after number seen, and returns the message that leads to it:
// the delta, or everything if the reader has missed one. It returns nil when ctx is
// done.
func (h *hub) next(ctx context.Context, seen uint64) (*message, uint64) {
	for {
		h.mu.Lock()
		if h.current != nil && h.number != seen {
			m, number := h.messageFrom(seen), h.number
			h.mu.Unlock()
			return m, number
		}
		arrived := h.arrived
		h.mu.Unlock()
		select {
		case <-arrived:
		case <-ctx.Done():
			return nil, seen
		}
	}
}

// messageFrom returns the message for a reader that has seen a look. h.mu is held.
func (h *hub) messageFrom(seen uint64) *message {
	if h.delta != nil && seen != 0 && seen == h.number-1 {
		return h.delta
	}
	if h.state == nil {
		h.state = newMessage("state", h.current.state(h.past()))
	}
	return h.state
}

// run looks until ctx is done.
func (h *hub) run(ctx context.Context) {
	go h.peers.run(ctx)
	for ctx.Err() == nil {
		began := time.Now()
		size := h.look(ctx)
		pause(ctx, min(longestPause, max(shortPause, share*time.Since(began))))
		h.await(ctx, min(longestPause, max(beat, time.Duration(size)*time.Second/maxRate))-time.Since(began))
	}
}

// await waits for an event, or for that long.
func (h *hub) await(ctx context.Context, longest time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	h.mu.Lock()
	seen := h.seq
	h.mu.Unlock()
	h.journal.Follow(ctx, seen, 1)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// look makes the message of a look and returns its size. It does nothing if the
// director does not answer, because it stops.
func (h *hub) look(ctx context.Context) int {
	last := h.journal.Last() // before the status: an event must not be without its effect
	s, err := h.status(ctx)
	if err != nil {
		return 0
	}
	s.Complete()
	_, version := assets()
	snap := &snapshot{now: s.Now, head: encode(viewHead(s, version)), tables: append(view(s), h.peers.table())}
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return 0
	}
	old := h.current
	h.number++
	h.current, h.state, h.delta = snap, nil, nil
	size := 0
	if old == nil {
		h.seq = last
	} else {
		h.delta = newMessage("delta", snap.since(old, h.news(last)))
		size = len(h.delta.plain)
	}
	close(h.arrived)
	h.arrived = make(chan struct{})
	return size
}

// news returns the events up to a number that no message has had. h.mu is held.
func (h *hub) news(last uint64) []event.Event {
	events := upTo(last, h.journal.Next(h.seq, shownEvents))
	if len(events) > 0 {
		h.seq = events[len(events)-1].Seq
	}
	return events
}

// past returns the newest events that messages have had. h.mu is held.
func (h *hub) past() []event.Event {
	since := uint64(0)
	if h.seq > shownEvents {
		since = h.seq - shownEvents
	}
	return upTo(h.seq, h.journal.Next(since, shownEvents))
}

func upTo(last uint64, events []event.Event) []event.Event {
	for i := range events {
		if events[i].Seq > last {
			return events[:i]
		}
	}
	return events
}
