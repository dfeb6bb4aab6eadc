package bfd

import (
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/vrrp/due"
)

// HopLimit is the TTL or hop limit that packets over a single hop have when
// they are sent, and must have when they arrive (RFC 5881 §5).
const HopLimit = 255

// A Config is the configuration of a session.
type Config struct {
	Name      string     // unique
	Neighbour netip.Addr // without zone; a link-local one of IPv6 needs an Interface
	Source    netip.Addr // zero: the kernel chooses, and packets to any of our addresses are accepted
	Interface string     // that packets are sent and received on; "": any outside of VRFs
	Multihop  bool       // RFC 5883
	TTL       uint8      // of the packets we send
	MinTTL    uint8      // of the packets we accept
	Timers
}

// sameSession reports whether a session with configuration c can continue
// with o: the neighbour and our sockets see no difference.
func (c *Config) sameSession(o *Config) bool {
	return c.Neighbour == o.Neighbour && c.Source == o.Source && c.Interface == o.Interface &&
		c.Multihop == o.Multihop && c.TTL == o.TTL
}

// A Datagram is a received UDP packet.
type Datagram struct {
	Interface           string // that the socket is bound to
	Multihop            bool   // by the port
	Source, Destination netip.Addr
	TTL                 uint8
	Arrived             time.Time
	Payload             []byte
}

// A session is a machine with its sockets and counters.
type session struct {
	Config
	machine  machine
	timer    due.Item[*session]
	tx       *txSocket
	trouble  string // why a socket could not be opened; "": both are open
	sent     uint64
	unsent   uint64     // packets that the kernel refused to send
	sendFail unix.Errno // why it refused the last one; 0: it was sent
	received uint64     // packets that passed every check
	drops    [NumDrops]uint64
	lastDrop Drop

	users  []*User // that share it
	listed bool    // it is in the configuration
	excuse excuse

	quick bool // see [session.isQuick]
	dense bool // see [session.isDense]

	cursor cursor // of the plan

	wire  [PacketLen]byte // the last packet sent, as bytes
	wired Packet          // and as a value
}

// A table holds all sessions.
type table struct {
	list   []*session // in the order of the configuration
	byDisc map[uint32]*session
	timers due.Queue[*session]
	// drops counts refused packets that are no session's.
	drops [NumDrops]uint64
	// stranger is told of a packet that is for no session. It reports whether that is of
	// use to somebody. nil: it is not.
	stranger func(*Datagram, Packet) bool
}

func newTable() *table { return &table{byDisc: map[uint32]*session{}} }

// add adds a session. Its machine must have its discriminator already.
func (t *table) add(s *session) {
	s.timer.Value = s
	t.byDisc[s.machine.local] = s
	t.list = append(t.list, s)
}

// on reports whether a session has one of the named interfaces. Without names, it
// reports whether there is a session at all.
func (t *table) on(names []string) bool {
	return slices.ContainsFunc(t.list, func(s *session) bool {
		return len(names) == 0 || s.Interface != "" && slices.Contains(names, s.Interface)
	})
}

// forget removes a session from everything but the list.
func (t *table) forget(s *session) {
	delete(t.byDisc, s.machine.local)
	t.timers.Remove(&s.timer)
}

// discriminator returns a random discriminator that is not in use.
func (t *table) discriminator(random func() uint32) uint32 {
	for {
		if d := random(); d != 0 && t.byDisc[d] == nil {
			return d
		}
	}
}

// plan notes the session's next deadline.
func (t *table) plan(s *session) { t.timers.Set(&s.timer, s.machine.deadline()) }

// receive handles a datagram and returns the session that accepted it, or
// nil.
func (t *table) receive(now time.Time, d *Datagram) *session {
	var p Packet
	if drop := Decode(d.Payload, &p); drop != DropNone {
		t.drop(t.neighbour(d), drop)
		return nil
	}
	s, drop := t.find(d, &p)
	if drop == DropNeighbour && t.stranger != nil && t.stranger(d, p) {
		return nil
	}
	if drop == DropNone {
		drop = s.admit(d)
	}
	if drop == DropNone {
		drop = s.machine.receive(now, d.Arrived, &p)
	}
	if drop != DropNone {
		t.drop(s, drop)
		return nil
	}
	s.received++
	s.outlived(d.Arrived, &p)
	t.plan(s)
	return s
}

// drop counts a refused packet. s is nil if it is no session's.
func (t *table) drop(s *session, drop Drop) {
	if s == nil {
		t.drops[drop]++
		return
	}
	s.drops[drop]++
	s.lastDrop = drop
}

// find returns the session that a packet is for: by our discriminator or, if
// the neighbour does not know that yet, by its address (RFC 5880 §6.3, RFC
// 5881 §3, RFC 5883 §3).
func (t *table) find(d *Datagram, p *Packet) (*session, Drop) {
	if p.Yours != 0 {
		if s := t.byDisc[p.Yours]; s != nil {
			return s, DropNone
		}
		return nil, DropSession
	}
	if s := t.neighbour(d); s != nil {
		return s, DropNone
	}
	return nil, DropNeighbour
}

// neighbour returns the session with the sender, if possible one on the
// interface on which the packet arrived.
func (t *table) neighbour(d *Datagram) *session {
	var found *session
	for _, s := range t.list {
		if s.Neighbour != d.Source || s.Multihop != d.Multihop {
			continue
		}
		if s.Interface == d.Interface {
			return s
		}
		if found == nil || s.Interface == "" {
			found = s
		}
	}
	return found
}

// admit makes the checks that need the session's configuration.
func (s *session) admit(d *Datagram) Drop {
	switch {
	case d.Multihop != s.Multihop:
		return DropPort
	case d.Source != s.Neighbour:
		return DropNeighbour
	case s.Interface != "" && d.Interface != s.Interface:
		return DropInterface
	case s.Source.IsValid() && d.Destination != s.Source:
		return DropDestination
	case d.TTL < s.MinTTL:
		return DropTTL
	}
	return DropNone
}
