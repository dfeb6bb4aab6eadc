package checker

import (
	"crypto/tls"
	"sync"
	"time"
)

// fullEvery is the longest time between two full TLS handshakes with a server.
const fullEvery = time.Minute

// A session lets the next handshake resume the last one, which spares both
// sides the public-key work. Only for fullEvery, so that a certificate that the
// server has been given since is looked at soon.
type session struct {
	mu     sync.Mutex
	state  *tls.ClientSessionState
	fullAt time.Time // of the last full handshake
}

// Get implements tls.ClientSessionCache for the one server that is asked.
func (s *session) Get(string) (*tls.ClientSessionState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == nil || time.Since(s.fullAt) >= fullEvery {
		return nil, false
	}
	return s.state, true
}

// Put implements tls.ClientSessionCache. A handshake that fails puts nil.
func (s *session) Put(_ string, state *tls.ClientSessionState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
}

// made notes that a handshake was done.
func (s *session) made(resumed bool) {
	if resumed {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fullAt = time.Now()
}
