package probe

import (
	"crypto/tls"
	"sync"
	"time"
)

// fullEvery is the longest time between two full TLS handshakes with a server.
const fullEvery = time.Minute

// A session lets the next handshake resume the last one, which saves both sides
// the public-key work. It does so for fullEvery after a full handshake, so that
// the check soon sees a new certificate of the server.
type session struct {
	mu     sync.Mutex
	state  *tls.ClientSessionState
	fullAt time.Time // of the last full handshake
}

// Get implements tls.ClientSessionCache for the one server that the check asks.
func (s *session) Get(string) (*tls.ClientSessionState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == nil || time.Since(s.fullAt) >= fullEvery {
		return nil, false
	}
	return s.state, true
}

// Put implements tls.ClientSessionCache. A failed handshake puts nil.
func (s *session) Put(_ string, state *tls.ClientSessionState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
}

// made notes that a handshake succeeded.
func (s *session) made(resumed bool) {
	if resumed {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fullAt = time.Now()
}
