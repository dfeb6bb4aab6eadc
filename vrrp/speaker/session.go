package speaker

import (
	"iter"
	"net/netip"
	"slices"
	"time"

	"holdfast/vrrp"
)

// A Session names a BFD session: an interface and the router at the other end, by its
// address there.
type Session struct {
	Interface string
	Peer      netip.Addr
}

// SessionUp says that the BFD session with a router on an interface is up. It does not
// wait for the loop.
func (s *Speaker) SessionUp(iface string, peer netip.Addr) {
	s.enqueue(func(now time.Time) {
		key := Session{iface, peer}
		s.sessions[key] = true
		delete(s.fallen, key)
		for _, r := range s.routers {
			if r.watches(key) {
				s.stepSession(now, r, vrrp.PeerUp{Peer: r.machine().Watched()})
			}
		}
	})
}

// SessionDown says that the BFD session with a router on an interface is no longer up.
// It does not wait for the loop. A MASTER with several paths counts as lost when its
// sessions on all of them are down; the last one says why.
func (s *Speaker) SessionDown(iface string, down vrrp.PeerDown) {
	s.enqueue(func(now time.Time) {
		key := Session{iface, down.Peer}
		delete(s.sessions, key)
		delete(s.fallen, key)
		if down.Cause == vrrp.DownSilent {
			s.fallen[key] = true
		}
		for _, r := range s.routers {
			if r.watches(key) && !s.anyUp(r) {
				down.Peer = r.machine().Watched()
				s.stepSession(now, r, down)
			}
		}
	})
}

// noteAlive tells all routers whose MASTER is the sender of the message in s.advert that it
// is alive, if its session on that path went down. Who says that it stops may be dead:
// after a crash somebody else says so.
func (s *Speaker) noteAlive(now time.Time, to place, at netip.Addr) {
	if len(s.fallen) == 0 || s.advert.Priority == vrrp.PriorityStop {
		return
	}
	key := Session{to.router.interfaceOf(to.path), at}
	if !s.fallen[key] {
		return
	}
	delete(s.fallen, key)
	for _, r := range s.routers {
		if r.watches(key) {
			s.stepSession(now, r, vrrp.PeerSpoke{Peer: r.machine().Watched()})
		}
	}
}

// interfaceOf returns the name of the interface of a path.
func (r *router) interfaceOf(path int) string {
	if path == 0 {
		return r.tx.Interface
	}
	return r.wires[path].tx.Name
}

// watched are the sessions by which a router watches its MASTER: one for each path on
// which that has been heard. There are none without a MASTER to watch.
func (r *router) watched() iter.Seq[Session] {
	return func(yield func(Session) bool) {
		peer := r.machine().Watched()
		if !peer.IsValid() || !yield(Session{r.tx.Interface, peer}) {
			return
		}
		for path := 1; path < len(r.wires); path++ {
			at := r.paths.Address(path, peer)
			if at.IsValid() && !yield(Session{r.interfaceOf(path), at}) {
				return
			}
		}
	}
}

func (r *router) watches(key Session) bool {
	for w := range r.watched() {
		if w == key {
			return true
		}
	}
	return false
}

// anyUp reports whether one of the sessions by which a router watches its MASTER is up.
func (s *Speaker) anyUp(r *router) bool {
	for w := range r.watched() {
		if s.sessions[w] {
			return true
		}
	}
	return false
}

func (s *Speaker) stepSession(now time.Time, r *router, ev vrrp.Event) {
	s.perform(now, r.group, r.group.Step(now, r.member, ev))
}

// wantSession passes on which sessions a router wants. If one is up already, the router
// learns it in the next turn.
func (s *Speaker) wantSession(now time.Time, r *router) {
	s.reports = append(s.reports, Report{
		At: now, Group: r.group.name, Router: r.config().Name, Verb: vrrp.WantSession, Sessions: slices.Collect(r.watched()),
	})
	s.reviewSessions(r)
}

// reviewSessions has a router learn in the next turn whether its MASTER has a session
// with us: it has another MASTER, or other paths.
func (s *Speaker) reviewSessions(r *router) {
	name := r.config().Name
	s.enqueue(func(now time.Time) {
		r := s.routers[name]
		if r == nil || !r.machine().Watched().IsValid() {
			return
		}
		if s.anyUp(r) {
			s.stepSession(now, r, vrrp.PeerUp{Peer: r.machine().Watched()})
		} else {
			s.stepSession(now, r, vrrp.PeerDown{Peer: r.machine().Watched(), Cause: vrrp.DownAdmin})
		}
	})
}

// locate notes where on a path a router is. A MASTER that is watched is watched there too.
func (s *Speaker) locate(now time.Time, to place, peer, at netip.Addr) {
	if r := to.router; r.paths.Locate(to.path, peer, at) && peer == r.machine().Watched() {
		s.wantSession(now, r)
	}
}

// queueBackup queues a BACKUP ADVERTISEMENT to one router or to all, by every path. An
// answer goes by the path of its question alone.
func (s *Speaker) queueBackup(now time.Time, r *router, a *vrrp.MemberAction) {
	if !r.tx.Source.IsValid() {
		return
	}
	to := netip.Addr{}
	if a.Peer != nil {
		to = a.Peer.Address
	}
	for path := range r.wires {
		if !a.Answer || path == s.asked.path {
			s.queueBackupOn(now, r, message{path: path, priority: a.Priority, backup: true, answer: a.Answer}, to)
		}
	}
}

// queueBackupOn queues a BACKUP ADVERTISEMENT on one path. Nothing is sent to a router that
// has not been heard there.
func (s *Speaker) queueBackupOn(now time.Time, r *router, m message, to netip.Addr) {
	switch tx := &r.wires[m.path].tx; {
	case !tx.Source.IsValid() || tx.WrapBackup == nil:
	case to.IsValid():
		if at := r.paths.Address(m.path, to); at.IsValid() {
			s.queueFrame(now, r, m, at, func(b []byte) []byte { return tx.WrapBackup(at, b) }, 0, true)
		}
	case r.paths.On(m.path).Unicast:
		for i := range tx.Peers {
			s.queueFrame(now, r, m, tx.Peers[i].Address, tx.Peers[i].Wrap, 0, true)
		}
	default:
		s.queueFrame(now, r, m, tx.Multicast, func(b []byte) []byte { return tx.WrapBackup(netip.Addr{}, b) }, tx.BackupHeader, false)
	}
}

// queueFrame queues a message that is made for this one time.
func (s *Speaker) queueFrame(now time.Time, r *router, m message, to netip.Addr, wrap func([]byte) []byte, header int, routed bool) {
	w, b := &r.wires[m.path], s.message[:0]
	if w.guard != nil {
		b = w.guard.Begin(b, now, w.tx.Source)
	}
	b = r.append(b, m, to)
	if w.guard != nil {
		b = w.guard.Seal(b, now, w.tx.Source)
	}
	s.message = b
	begin := len(s.arena)
	s.arena = append(s.arena, wrap(b)...)
	frame := s.arena[begin:len(s.arena):len(s.arena)]
	if len(frame) <= header {
		return // wrap refused a message that is too long for a frame
	}
	if w.guard != nil {
		w.guard.Finish(frame[header:])
	}
	s.frames = append(s.frames, Frame{w.tx.IfIndex, frame, routed})
}
