package control

import (
	"context"
	"sync"
	"time"
)

const (
	// maxSnapshots bounds the encoded statuses in memory: the one that is being
	// made, and those that slow readers still read.
	maxSnapshots = 3
	// maxPause bounds the pause between two snapshots.
	maxPause = 200 * time.Millisecond
)

// snapshots makes the status for all who ask for it within a moment: once, however
// many they are. A status of a thousand virtual routers is some megabytes, and it
// is the director's loop that gathers it.
//
// Nobody gets a status that began to be made before they asked: a client that has
// just had something changed sees the change.
type snapshots struct {
	life context.Context
	// encode returns the status as it is sent.
	encode func(context.Context) ([]byte, error)
	room   chan struct{} // one token for each snapshot in memory

	mu      sync.Mutex
	next    *snapshot // not begun; nil: nobody waits
	working bool
}

// A snapshot is an encoded status, and how many still wait for it or read it.
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

// get returns a status that was made after the call began. The caller calls
// release once it does not need the bytes any more.
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
		err = n.err
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		release()
	}
	return n.body, release, err
}

// leave notes that a reader has done with a snapshot. The last one makes room.
func (s *snapshots) leave(n *snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.readers--
	s.free(n)
}

// free makes room if nobody reads n any more. s.mu is held.
func (s *snapshots) free(n *snapshot) {
	if n.readers == 0 && n.counted {
		n.counted = false
		<-s.room
	}
}

// work makes snapshots as long as somebody waits for one. After each it pauses for
// as long as that took, so that readers take half of the director's time at most.
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
		s.free(n) // all may have gone meanwhile
		s.mu.Unlock()
		select {
		case <-time.After(min(time.Since(began), maxPause)):
		case <-s.life.Done():
		}
	}
}

// takeRoom waits until there is room for one more snapshot. Whoever asks meanwhile
// shares the next one. It reports false when the server ends instead.
func (s *snapshots) takeRoom() bool {
	select {
	case s.room <- struct{}{}:
		return true
	case <-s.life.Done():
		return false
	}
}
