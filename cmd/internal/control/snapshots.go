package control

import (
	"context"
	"sync"
	"time"
)

const (
	// maxSnapshots is how many snapshots may be in memory: the one that is being made,
	// and those that slow clients still read.
	maxSnapshots = 3
	// maxPause bounds the pause between two snapshots.
	maxPause = 200 * time.Millisecond
)

// Snapshots makes one answer for all concurrent requests, such as the status. With a
// thousand virtual routers a status has some megabytes, and the director's loop must
// gather it.
//
// A request never gets an answer whose making began before the request: a client that
// has just changed something must see the change.
type Snapshots[T any] struct {
	life context.Context
	make func(context.Context) (T, error)
	room chan struct{} // one token for each snapshot in memory

	mu      sync.Mutex
	next    *snapshot[T] // whose making has not begun; nil if no request waits
	working bool
}

// A snapshot is an answer with the number of requests that wait for it or read it.
type snapshot[T any] struct {
	done    chan struct{}
	value   T
	err     error
	readers int // guarded by Snapshots.mu
	counted bool
}

// NewSnapshots returns Snapshots of what f makes. The end of life ends what f makes for
// requests that nobody waits for any more.
func NewSnapshots[T any](life context.Context, f func(context.Context) (T, error)) *Snapshots[T] {
	return &Snapshots[T]{life: life, make: f, room: make(chan struct{}, maxSnapshots)}
}

// Get returns an answer whose making began after the call. Others read it too. The
// caller must call release when it does not need the answer any more.
func (s *Snapshots[T]) Get(ctx context.Context) (value T, release func(), err error) {
	s.mu.Lock()
	if s.next == nil {
		s.next = &snapshot[T]{done: make(chan struct{})}
	}
	n := s.next
	n.readers++
	if !s.working {
		s.working = true
		go s.work()
	}
	s.mu.Unlock()
	release = sync.OnceFunc(func() { s.leave(n) })
	select {
	case <-n.done:
		value, err = n.value, n.err
	case <-ctx.Done(): // work may be writing to n
		err = ctx.Err()
	}
	if err != nil {
		release()
	}
	return value, release, err
}

// leave removes one reader of a snapshot. The last one makes room for another.
func (s *Snapshots[T]) leave(n *snapshot[T]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.readers--
	s.free(n)
}

// free makes room if n has no readers left. s.mu is held.
func (s *Snapshots[T]) free(n *snapshot[T]) {
	if n.readers == 0 && n.counted {
		n.counted = false
		<-s.room
	}
}

// work makes snapshots while requests wait. After each it pauses for as long as the
// making took, so that requests use at most half of the director's time.
func (s *Snapshots[T]) work() {
	for {
		counted := s.takeRoom()
		s.mu.Lock()
		n := s.next
		s.next = nil
		if n == nil {
			s.working = false
			s.mu.Unlock()
			if counted {
				<-s.room
			}
			return
		}
		n.counted = counted
		s.mu.Unlock()
		began := time.Now()
		n.value, n.err = s.make(s.life)
		close(n.done)
		s.mu.Lock()
		s.free(n) // all readers may have left meanwhile
		s.mu.Unlock()
		select {
		case <-time.After(min(time.Since(began), maxPause)):
		case <-s.life.Done():
		}
	}
}

// takeRoom waits until there is room for one more snapshot. Requests that arrive
// meanwhile share it. It reports false if the server is closed before that.
func (s *Snapshots[T]) takeRoom() bool {
	select {
	case s.room <- struct{}{}:
		return true
	case <-s.life.Done():
		return false
	}
}
