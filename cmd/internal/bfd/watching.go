package bfd

import "time"

const (
	// quickInterval is the longest interval of quick packets.
	quickInterval = 50 * time.Millisecond
	// denseLimit is how long a packet that the loop is not told of may wait.
	denseLimit = 500 * time.Millisecond
)

// isQuick reports whether the session sends so often that its packets leave together
// with those of others: see join.
func (s *session) isQuick() bool {
	interval := s.machine.interval()
	return s.machine.state == Up && interval > 0 && interval <= quickInterval
}

// isDense reports whether packets of the neighbour come so often that the loop is not
// woken for each: the time that the kernel has noted counts, and not when they are read.
// They are read in every turn, at the latest before the session would fall.
func (s *session) isDense() bool {
	m := &s.machine
	return m.state == Up && m.expected() <= quickInterval && (s.isQuick() || m.detection() <= denseLimit)
}

// watchSockets has the loop watch the sockets, but for those on which only dense sessions
// wait. A socket without sessions is there for strangers.
func (s *Speaker) watchSockets() {
	s.rewatch, s.unwatched = false, false
	sparse, dense, sessions := map[rxKey]bool{}, map[rxKey]bool{}, map[rxKey]int{}
	for _, e := range s.table.list {
		sessions[e.rxKey()]++
		if e.dense {
			dense[e.rxKey()] = true
		} else {
			sparse[e.rxKey()] = true
		}
	}
	for k, e := range s.rx {
		e.expected.alone = sessions[k] == 1
		switch wanted := sparse[k] || !dense[k]; {
		case wanted && e.unwatched:
			if err := s.watchSocket(e); err != nil {
				s.log.Error("cannot wait for BFD packets", "err", err)
				s.rewatch = true // the next turn tries again
				continue
			}
			e.unwatched = false
		case !wanted && !e.unwatched:
			s.loop.Unwatch(e.fd)
			e.unwatched, e.ready = true, false
		}
		s.unwatched = s.unwatched || e.unwatched
	}
}

func (s *Speaker) watchSocket(e *rxSocket) error {
	return s.loop.Watch(e.fd, func() { e.ready = true })
}
