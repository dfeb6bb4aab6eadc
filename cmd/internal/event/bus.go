package event

import "time"

// A Bus hands every event to all of its subscribers. It belongs to one
// goroutine.
type Bus struct{ subscribers []func(*Event) }

// NewBus returns a Bus. Its subscribers are called in the order in which they
// are named here, in the goroutine of Publish, so they must not block. The
// journal comes first: it sets Seq, which the others pass on.
func NewBus(subscribers ...func(*Event)) *Bus { return &Bus{subscribers} }

// Publish hands e to every subscriber. The zero At is set to the present time.
// What e refers to must not change afterwards.
func (b *Bus) Publish(e Event) {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	for _, subscriber := range b.subscribers {
		subscriber(&e)
	}
}
