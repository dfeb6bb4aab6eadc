package control

import (
	"context"
	"sync"
	"time"
)

const (
	// maxSnapshots is how many encoded statuses may be in memory: the one that is
	// being made, and those that slow clients still read.
	maxSnapshots = 3
	// maxPause bounds the pause between two snapshots.
	maxPause = 200 * time.Millisecond
)

// snapshots encodes the status once for all concurrent requests. With a thousand
// virtual routers a status has some megabytes, and the director's loop must gather
// it.
//
// A request never gets a status whose encoding began before the request: a client
// that has just changed something must see the change.
type snapshots struct {
	life context.Context
	// encode returns the status as JSON.
	encode func(context.Context) ([]byte, error)
	room   chan struct{} // one token for each snapshot in memory

	mu      sync.Mutex
	next    *snapshot // whose encoding has not begun; nil if no request waits
	working bool
}

// A snapshot is an encoded status with the number of requests that wait for it or
// read it.
type snapshot struct {
	done    chan struct{}
	body    []byte
	err     error
	readers int // guarded by snapshots.mu
	counted bool
}

func newSnapshots(life context.Context, encode func(context.Context) ([]byte, error)) *snapshots {
	return &snapshots{life: life, encode: encode, room: make(chan struct{}, maxSnapshots)}
}

// get returns a status whose encoding began after the call. The caller must call
// release when it does not need body any more.
func (s *snapshots) get(ctx context.Context) (body []byte, release func(), err error) {
	s.mu.Lock()
	if s.next == nil {
		s.next = &snapshot{done: make(chan struct{})}
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
		body, err = n.body, n.err
	case <-ctx.Done(): // work may be writing to n
		err = ctx.Err()
	}
	if err != nil {
		release()
	}
	return body, release, err
}

// leave removes one reader of a snapshot. The last one makes room for another.
func (s *snapshots) leave(n *snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.readers--
	s.free(n)
}

// free makes room if n has no readers left. s.mu is held.
func (s *snapshots) free(n *snapshot) {
	if n.readers == 0 && n.counted {
		n.counted = false
		<-s.room
	}
}

// work encodes snapshots while requests wait. After each it pauses for as long as
// the encoding took, so that requests use at most half of the director's time.
func (s *snapshots) work() {
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
		n.body, n.err = s.encode(s.life)
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
func (s *snapshots) takeRoom() bool {
	select {
	case s.room <- struct{}{}:
		return true
	case <-s.life.Done():
		return false
	}
}
