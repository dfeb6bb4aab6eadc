package bfd

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"holdfast/integration/tools"
)

// A witness records the changes of a speaker.
type witness struct {
	mu     sync.Mutex
	list   []Change
	urgent [][]string
}

func (w *witness) hurry(sessions []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.urgent = append(w.urgent, sessions)
}

func (w *witness) hear(c Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, c)
}

// last returns the latest change of a session.
func (w *witness) last(name string) (last Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.list {
		if c.Name == name {
			last = c
		}
	}
	return last
}

// A testSpeaker is a speaker with a loop of its own.
type testSpeaker struct {
	*Speaker
	ending chan struct{}
}

// Close ends the loop.
func (s *testSpeaker) Close() {
	s.stop()
	<-s.done
}

func (s *testSpeaker) stop() {
	select {
	case <-s.ending:
	default:
		close(s.ending)
		s.loop.Wake()
	}
}

func single(name, neighbour, source, device string) Config {
	c := Config{Name: name, Neighbour: netip.MustParseAddr(neighbour), Interface: device, TTL: 255, MinTTL: 255,
		Timers: Timers{MinTx: 500 * ms, MinRx: 500 * ms, IdleTx: time.Second, Multiplier: 10}}
	if source != "" {
		c.Source = netip.MustParseAddr(source)
	}
	return c
}

func multihop(c Config) Config {
	c.Multihop, c.MinTTL = true, 254
	return c
}

func statuses(s *testSpeaker) map[string]Status {
	all := map[string]Status{}
	list, _ := s.Status()
	for _, st := range list {
		all[st.Config.Name] = st
	}
	return all
}

func awaitUp(t *testing.T, s *testSpeaker) {
	t.Helper()
	tools.Await(t, "all are up", func() (any, bool) {
		list, _ := s.Status()
		for _, st := range list {
			if st.State != Up {
				return st, false
			}
		}
		return list, len(list) > 0
	})
}

// quickSessions returns one end of two sessions that are up at both ends, one of each
// family, at an interval of 5 ms.
func quickSessions(t *testing.T) *testSpeaker {
	t.Helper()
	here, there := newLAN(t)
	quick := func(c Config) Config {
		c.MinTx, c.MinRx = 5*ms, 5*ms
		c.Multiplier = 100
		return c
	}
	a, _ := here.speak(quick(single("four", "10.0.0.2", "", "eth0")), quick(single("six", "fe80::2", "", "eth0")))
	b, _ := there.speak(quick(single("four", "10.0.0.1", "", "eth0")), quick(single("six", "fe80::1", "", "eth0")))
	awaitUp(t, a)
	awaitUp(t, b)
	return a
}
