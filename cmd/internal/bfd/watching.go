package bfd

import "time"

// quickInterval is the longest interval between our packets at which the neighbour's
// are read with them.
const quickInterval = 50 * time.Millisecond

// isQuick reports whether the loop has a turn so often for the session's own packets
// that the neighbour's need none of their own: the time that the kernel has noted
// counts, and not when they are read. That halves the turns.
func (s *session) isQuick() bool {
	interval := s.machine.interval()
	return s.machine.state == Up && interval > 0 && interval <= quickInterval
}

// watchSockets has the loop watch the sockets, but for those on which only quick sessions
// wait. A socket without sessions is there for strangers.
func (s *Speaker) watchSockets() {
	s.rewatch = false
	slow, quick := map[rxKey]bool{}, map[rxKey]bool{}
	for _, e := range s.table.list {
		if e.quick {
			quick[e.rxKey()] = true
		} else {
			slow[e.rxKey()] = true
		}
	}
	for k, e := range s.rx {
		switch wanted := slow[k] || !quick[k]; {
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
	}
}

func (s *Speaker) watchSocket(e *rxSocket) error {
	return s.loop.Watch(e.fd, func() { e.ready = true })
}
