package notify

import (
	"context"
	"encoding/json"
	"errors"

	"holdfast/cmd/internal/event"
)

// A LeftSink is what a Sink leaves for that of the binary which replaces this one. Fields
// may be added; the binaries before and after must be able to read it.
type LeftSink struct {
	Events []event.Whole `json:"events,omitempty"` // that wait, the oldest first
	Status SinkStatus    `json:"status,omitzero"`
	Alert  *LeftAlert    `json:"alert,omitempty"` // whose program runs
}

// errRests is why a delivery is broken off.
var errRests = errors.New("the sink rests")

// A leaver is a transport that has work in hand when its sink rests. It lets go of it at
// once, and the next one goes on with it.
type leaver interface {
	leave(*LeftSink)
	takeOver(*LeftSink)
	handOn()
	keep()
}

// leaver returns the transport if it is one.
func (s *Sink) leaver() (leaver, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.opts.Transport.(leaver)
	return l, ok
}

// Rest delivers what waits, unless that failed already, and stops the sink, which keeps
// what it could not deliver until ctx ended, and what is sent to it from then on. A program
// that runs for an alert goes on, and is not waited for.
func (s *Sink) Rest(ctx context.Context) {
	s.mu.Lock()
	s.resting = true
	s.mu.Unlock()
	if _, ok := s.leaver(); ok {
		s.end(errRests)
	}
	s.Close(ctx)
}

// Leave returns what a sink that rests leaves. The oldest of too many bytes of JSON are
// dropped.
func (s *Sink) Leave() LeftSink {
	transport, hasWork := s.leaver()
	s.mu.Lock()
	defer s.mu.Unlock()
	room, first := maxLeft, len(s.queue)
	for first > 0 {
		b, err := json.Marshal(event.Whole(s.queue[first-1]))
		if room -= len(b); err != nil || room < 0 {
			s.log.Error("notifications are dropped: too much waits for the new binary", "count", first)
			break
		}
		first--
	}
	l := LeftSink{Status: s.status}
	l.Status.Dropped += uint64(first)
	for _, e := range s.queue[first:] {
		l.Events = append(l.Events, event.Whole(e))
	}
	if hasWork {
		transport.leave(&l)
	}
	return l
}

// HandOn has the next binary inherit what the sink has open and leaves, while it rests.
// Nothing may be started until Keep.
func (s *Sink) HandOn() {
	if l, ok := s.leaver(); ok {
		l.handOn()
	}
}

// Keep undoes HandOn.
func (s *Sink) Keep() {
	if l, ok := s.leaver(); ok {
		l.keep()
	}
}

// takeOver queues what a sink has left.
func (s *Sink) takeOver(l *LeftSink) {
	if t, ok := s.opts.Transport.(leaver); ok {
		t.takeOver(l)
	}
	s.status = l.Status
	for _, e := range l.Events {
		s.queue = append(s.queue, event.Event(e))
	}
}
