package checktools

import (
	"errors"
	"maps"
	"sync"

	"holdfast/checker/probe"
)

// Sessions know the states of BFD sessions. The zero value knows none. The methods
// may be called from any goroutine.
type Sessions struct {
	callers callers

	mu     sync.Mutex
	states map[string]error // nil: up
}

var _ probe.Sessions = (*Sessions)(nil)

var errNoState = errors.New("the BFD session has no state yet")

// State implements probe.Sessions.
func (s *Sessions) State(session string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state, ok := s.states[session]; ok {
		return state
	}
	return probe.Inconclusive(errNoState)
}

// Watch implements probe.Sessions.
func (s *Sessions) Watch(session string, changed func()) (stop func()) {
	leave, _ := s.callers.add(session, changed)
	return func() { leave() }
}

// Set notes the state of a session: nil if it is up, otherwise why it is not. It
// calls those who watch it.
func (s *Sessions) Set(session string, state error) {
	s.mu.Lock()
	if s.states == nil {
		s.states = map[string]error{}
	}
	s.states[session] = state
	s.mu.Unlock()
	s.callers.call(session)
}

// Keep forgets all sessions but those of a set of names.
func (s *Sessions) Keep(names map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.states, func(name string, _ error) bool { return !names[name] })
}
