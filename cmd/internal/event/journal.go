package event

import (
	"context"
	"fmt"
	"sync"
)

// A Journal keeps the newest events in memory, in a ring. Appending never waits
// for readers: a reader that is too slow finds a KindLost event in place of those
// that were overwritten. Its methods may be called from any goroutine.
type Journal struct {
	mu      sync.Mutex
	size    uint64        // how many events it keeps
	ring    [][]Event     // in blocks, which are made when they are first needed: see slot
	first   uint64        // seq of the oldest that it ever had
	last    uint64        // seq of the newest; first-1 if none
	starts  []Start       // oldest first; the last is of this process
	arrived chan struct{} // closed and forgotten at the next Append; nil if nobody waits
}

// NewJournal returns a journal that keeps the newest size events. The first event
// gets the number last+1, where last is the number of the newest event of the
// process before an upgrade; 0: there was none.
func NewJournal(size int, last uint64) *Journal {
	return &Journal{size: uint64(size), ring: make([][]Event, (size+blockLen-1)/blockLen), first: last + 1, last: last}
}

// blockLen is the number of events in a block of the ring. Most directors see few
// events in their lives, so the whole ring would be memory that is never used.
const blockLen = 64

// slot returns where the event with this number is.
func (l *Journal) slot(seq uint64) *Event {
	i := (seq - 1) % l.size
	block := &l.ring[i/blockLen]
	if *block == nil {
		*block = make([]Event, blockLen)
	}
	return &(*block)[i%blockLen]
}

// SetStarts tells the journal to which starts of the daemon the numbers belong, the
// present one last.
func (l *Journal) SetStarts(starts []Start) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.starts = starts
}

// Starts returns the starts of the daemon that the journal knows, oldest first.
func (l *Journal) Starts() []Start {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.starts
}

// Find returns the number of the event that p is after, for Next and Follow.
func (l *Journal) Find(p Position) uint64 {
	if !p.Time.IsZero() {
		if events := l.Since(0); len(events) > 0 {
			return before(events, p.Time)
		}
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return p.resolve(l.starts, l.last)
}

// Last returns the number of the newest event.
func (l *Journal) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Prepend puts the events of the process before an upgrade in front. Their
// numbers must lead up to those of the journal without a gap. The oldest are left
// out when there is not enough room.
func (l *Journal) Prepend(events []Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range events {
		if want := l.first - uint64(len(events)-i); events[i].Seq != want || want == 0 {
			return fmt.Errorf("event %d is where %d should be", events[i].Seq, want)
		}
	}
	for _, e := range events {
		if l.last-e.Seq < l.size {
			*l.slot(e.Seq) = e
		}
	}
	l.first -= uint64(len(events))
	return nil
}

// Handle appends an event that belongs into the journal, and sets its Seq.
func (l *Journal) Handle(e *Event) {
	if !e.NotJournaled {
		e.Seq = l.Append(*e)
	}
}

// Append adds e and returns its Seq. The caller sets the other fields, and does
// not change e.Detail afterwards. Only what the JSON form has is kept.
func (l *Journal) Append(e Event) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	e.Seq = l.last
	e.Instance, e.Group, e.Service = nil, nil, nil
	*l.slot(e.Seq) = e
	if l.arrived != nil {
		close(l.arrived)
		l.arrived = nil
	}
	return e.Seq
}

// Since returns the events after seq, oldest first; 0 asks for all of them. The
// first one that it returns is a KindLost event if some of those after seq are
// gone, and also if the journal has not yet reached seq: then the caller knows
// the journal of a process before a restart, and gets all events of this one.
func (l *Journal) Since(seq uint64) []Event { return l.Next(seq, int(l.size)) }

// Next is Since, but returns at most that many events, and a KindLost event before
// them where one belongs.
func (l *Journal) Next(seq uint64, most int) []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next(seq, most)
}

func (l *Journal) next(seq uint64, most int) []Event {
	if seq == l.last || l.last < l.first {
		return nil
	}
	oldest, gone := l.first, "lost in an upgrade"
	if l.last-l.first >= l.size {
		oldest, gone = l.last-l.size+1, "overwritten"
	}
	var events []Event
	switch {
	case seq > l.last:
		events = append(events, anew(seq, *l.slot(oldest)))
		seq = 0
	case seq != 0 && seq+1 < oldest:
		events = append(events, Event{
			Kind: KindLost, Reason: fmt.Sprintf("%d events were %s", oldest-seq-1, gone),
		})
	}
	from := max(seq+1, oldest)
	for i := from; i <= min(l.last, from+uint64(most)-1); i++ {
		events = append(events, *l.slot(i))
	}
	if events[0].Kind == KindLost && events[0].Seq == 0 { // a marker: resuming after it finds what follows it
		events[0].Seq, events[0].At = events[1].Seq-1, events[1].At
	}
	return events
}

// Follow is Next, but it waits until there is something to return. It returns
// nil when ctx is done.
func (l *Journal) Follow(ctx context.Context, seq uint64, most int) []Event {
	for {
		l.mu.Lock()
		if events := l.next(seq, most); events != nil {
			l.mu.Unlock()
			return events
		}
		if l.arrived == nil {
			l.arrived = make(chan struct{})
		}
		arrived := l.arrived
		l.mu.Unlock()
		select {
		case <-arrived:
		case <-ctx.Done():
			return nil
		}
	}
}
