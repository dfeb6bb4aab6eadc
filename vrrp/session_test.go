package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// A session is a node's end of a pretend BFD session: the three-way handshake and
// the detection time of RFC 5880 §6.8, with fixed intervals. It belongs to one life
// of the daemon.
type session struct {
	n     *node
	port  int
	peer  netip.Addr
	life  int
	state sessionState
	heard time.Duration // the latest packet, by the clock of the world
	timer uint64        // the pending detection timer; older ones are void
	turn  uint64        // the pending packet; older ones are void
	idle  time.Duration // since when nobody here has use for it
}

type sessionState uint8

const (
	sessionDown sessionState = iota
	sessionInit
	sessionUp
	sessionAdmin
)

// detectionMultiplier is how many packets in a row must be missing.
const detectionMultiplier = 3

type sessionKey struct {
	port int
	peer netip.Addr
}

// session returns the session with a peer, and begins it if there is none: because a
// machine wants it, or because the peer's packet arrived.
func (n *node) session(port int, peer netip.Addr) *session {
	key := sessionKey{port, peer}
	if s := n.sessions[key]; s != nil && s.life == n.life {
		return s
	}
	if n.sessions == nil {
		n.sessions = map[sessionKey]*session{}
	}
	s := &session{n: n, port: port, peer: peer, life: n.life, heard: -time.Hour, idle: n.w.now}
	n.sessions[key] = s
	n.w.at(n.w.now, s.periodic)
	return s
}

// want begins the session that a machine wants, and tells it if that is up already.
func (n *node) want(port int, peer *Peer) {
	if peer == nil || n.w.bfd == 0 {
		return
	}
	s, life := n.session(port, peer.Address), n.life
	n.w.at(n.w.now, func() {
		if s.state == sessionUp {
			n.whenAble(life, func() { n.step(port, PeerUp{Peer: s.peer}) })
		}
	})
}

// periodic sends a packet and schedules the next one, with the jitter of RFC 5880.
func (s *session) periodic() {
	n := s.n
	if !n.on || n.life != s.life {
		return
	}
	if m := n.machine(s.port); m.fast.peer == s.peer || m.state == Master {
		s.idle = n.w.now
	} else if n.w.now-s.idle > 20*time.Second {
		s.state = sessionAdmin
		s.send()
		s.turn, s.timer = s.turn+1, s.timer+1 // nothing of it is pending any more
		delete(n.sessions, sessionKey{s.port, s.peer})
		return
	}
	if !n.paused {
		s.send()
	}
	interval := n.w.bfd
	if s.state != sessionUp {
		interval = max(interval, 200*time.Millisecond)
	}
	s.turn++
	turn := s.turn
	n.w.at(n.w.now+n.global(n.w.between(interval*3/4, interval)), func() {
		if s.turn == turn {
			s.periodic()
		}
	})
}

func (s *session) send() {
	w, from := s.n.w, &s.n.ports[s.port]
	if from.cut || from.dumb || from.bfdCut {
		return
	}
	state := s.state
	for _, to := range w.nodes {
		i := slices.IndexFunc(to.ports, func(p port) bool { return p.wire == from.wire && p.source == s.peer })
		if to == s.n || i < 0 || w.loss > 0 && w.rng.Float64() < w.loss || w.bfdLoss > 0 && w.rng.Float64() < w.bfdLoss {
			continue
		}
		life := to.life
		w.at(w.now+w.between(w.delayMin, w.delayMax), func() {
			if p := &to.ports[i]; p.cut || p.deaf || p.bfdCut {
				return
			}
			arrived := w.now
			to.whenAble(life, func() { to.hear(i, from.source, arrived, state) })
		})
	}
}

// hear handles a packet. One that is about a session begins that, unless it ends it.
func (n *node) hear(port int, from netip.Addr, arrived time.Duration, state sessionState) {
	s := n.sessions[sessionKey{port, from}]
	if s != nil && s.life == n.life || state != sessionAdmin {
		n.session(port, from).receive(arrived, state)
	}
}

func (s *session) receive(arrived time.Duration, theirs sessionState) {
	s.heard = max(s.heard, arrived)
	was := s.state
	switch {
	case theirs == sessionAdmin:
		if s.state != sessionDown {
			s.fall(DownAdmin)
		}
	case s.state == sessionDown && theirs == sessionDown:
		s.state = sessionInit
	case s.state == sessionDown && theirs == sessionInit, s.state == sessionInit && theirs != sessionDown:
		s.state = sessionUp
		s.n.step(s.port, PeerUp{Peer: s.peer})
	case s.state == sessionUp && theirs == sessionDown:
		s.fall(DownTold)
	}
	if s.state != was {
		s.periodic()
	}
	s.watch()
}

// watch sets the detection timer.
func (s *session) watch() {
	n := s.n
	s.timer++
	timer := s.timer
	at := s.heard + n.global(detectionMultiplier*n.w.bfd)
	if s.state == sessionDown || s.state == sessionAdmin {
		return
	}
	n.w.at(at, func() {
		// A daemon that wakes reads what has arrived before it looks at its timers.
		woken := n.w.now
		n.whenAble(s.life, func() {
			late := n.w.now - woken
			n.w.at(n.w.now, func() {
				if s.timer != timer || s.state == sessionDown || n.paused || n.life != s.life {
					return
				}
				cause := DownSilent
				if late > 0 {
					cause = DownLate
				}
				s.fall(cause)
			})
		})
	})
}

func (s *session) fall(cause DownCause) {
	s.state = sessionDown
	s.timer++
	s.n.step(s.port, PeerDown{Peer: s.peer, Cause: cause, Interval: s.n.w.bfd})
}

// transmitBackup puts a BACKUP ADVERTISEMENT on the wire, to one router or to all.
func (n *node) transmitBackup(member int, priority uint8, to *Peer, answer bool) {
	cfg := n.machine(member).Config()
	dst := cfg.Family.MulticastGroup()
	if to != nil {
		dst = to.Address
	}
	a := Advert{Version: cfg.Version, VRID: cfg.VRID, Priority: priority, Backup: true, Interval: cfg.Interval, Addresses: cfg.Addresses}
	if answer {
		a.Answer, a.Interval = true, 0
	}
	n.spread(member, a, dst)
}
