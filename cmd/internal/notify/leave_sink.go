package notify

import (
	"context"
	"encoding/json"

	"holdfast/cmd/internal/event"
)

// A LeftSink is what a Sink leaves for that of the binary which replaces this one. Fields
// may be added; the binaries before and after must be able to read it.
type LeftSink struct {
	Events []event.Whole `json:"events,omitempty"` // that wait, the oldest first
	Status SinkStatus    `json:"status,omitzero"`
}

// Rest delivers what waits, unless that failed already, and stops the sink, which keeps
// what it could not deliver until ctx ended, and what is sent to it from then on.
func (s *Sink) Rest(ctx context.Context) {
	s.mu.Lock()
	s.resting = true
	s.mu.Unlock()
	s.Close(ctx)
}

// Leave returns what a sink that rests leaves. The oldest of too many bytes of JSON are
// dropped.
func (s *Sink) Leave() LeftSink {
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
	return l
}

// takeOver queues what a sink has left.
func (s *Sink) takeOver(l *LeftSink) {
	s.status = l.Status
	for _, e := range l.Events {
		s.queue = append(s.queue, event.Event(e))
	}
}
