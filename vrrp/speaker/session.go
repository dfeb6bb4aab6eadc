package speaker

import (
	"net/netip"
	"time"

	"holdfast/vrrp"
)

// A sessionKey names a BFD session: an interface and the router at the other end.
type sessionKey struct {
	iface string
	peer  netip.Addr
}

// SessionUp says that the BFD session with a router on an interface is up. It does not
// wait for the loop.
func (s *Speaker) SessionUp(iface string, peer netip.Addr) {
	s.enqueue(func(now time.Time) {
		key := sessionKey{iface, peer}
		s.sessions[key] = true
		delete(s.fallen, key)
		s.tellSession(now, iface, vrrp.PeerUp{Peer: peer})
	})
}

// SessionDown says that the BFD session with a router on an interface is no longer up.
// It does not wait for the loop.
func (s *Speaker) SessionDown(iface string, down vrrp.PeerDown) {
	s.enqueue(func(now time.Time) {
		key := sessionKey{iface, down.Peer}
		delete(s.sessions, key)
		if down.Cause == vrrp.DownSilent {
			s.fallen[key] = true
		}
		s.tellSession(now, iface, down)
	})
}

// noteAlive tells all routers on the interface of r that the sender of the message in
// s.advert is alive, if its session went down. Who says that it stops may be dead: after a
// crash somebody else says so.
func (s *Speaker) noteAlive(now time.Time, r *router, from netip.Addr) {
	key := sessionKey{r.tx.Interface, from}
	if len(s.fallen) == 0 || !s.fallen[key] || s.advert.Priority == vrrp.PriorityStop {
		return
	}
	delete(s.fallen, key)
	s.tellSession(now, key.iface, vrrp.PeerSpoke{Peer: from})
}

// tellSession gives an event to every router on an interface that has use for it.
func (s *Speaker) tellSession(now time.Time, iface string, ev vrrp.Event) {
	for _, r := range s.routers {
		if r.tx.Interface == iface && r.config().Fast {
			s.perform(now, r.group, r.group.Step(now, r.member, ev))
		}
	}
}

// wantSession passes on which session a router wants. If that is up already, the router
// learns it in the next turn.
func (s *Speaker) wantSession(now time.Time, r *router, a *vrrp.MemberAction) {
	s.report(now, r, a)
	if a.Peer == nil {
		return
	}
	key, name := sessionKey{r.tx.Interface, a.Peer.Address}, r.config().Name
	if !s.sessions[key] {
		return
	}
	s.enqueue(func(now time.Time) {
		if r := s.routers[name]; s.sessions[key] && r != nil && r.tx.Interface == key.iface {
			s.perform(now, r.group, r.group.Step(now, r.member, vrrp.PeerUp{Peer: key.peer}))
		}
	})
}

// queueBackup queues a BACKUP ADVERTISEMENT to one router or to all. It goes over the first
// path.
func (s *Speaker) queueBackup(now time.Time, r *router, a *vrrp.MemberAction) {
	m := message{priority: a.Priority, backup: true}
	switch wrap := r.tx.WrapBackup; {
	case !r.tx.Source.IsValid() || wrap == nil:
	case a.Peer != nil:
		to := a.Peer.Address
		s.queueFrame(now, r, m, to, func(b []byte) []byte { return wrap(to, b) }, 0, true)
	case r.config().Unicast:
		for i := range r.tx.Peers {
			s.queueFrame(now, r, m, r.tx.Peers[i].Address, r.tx.Peers[i].Wrap, 0, true)
		}
	default:
		s.queueFrame(now, r, m, r.tx.Multicast, func(b []byte) []byte { return wrap(netip.Addr{}, b) }, r.tx.BackupHeader, false)
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
