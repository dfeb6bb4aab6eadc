package bfd

import (
	"net/netip"
	"time"
)

// The speaker tells of at most strangerBurst strangers on a wire in a row, and then of
// one each strangerPause: anybody there can send packets from as many addresses as he
// likes. All BACKUPs hear a new MASTER at the same moment, on all its wires, and come
// together.
const (
	strangerBurst = 8
	strangerPause = 10 * time.Millisecond
)

// A quota bounds how often the speaker tells of strangers on a wire.
type quota struct {
	spent time.Time // when all that was used is free again
}

// take reports whether there is one left, and uses it.
func (q *quota) take(now time.Time) bool {
	if q.spent.Before(now) {
		q.spent = now
	}
	if q.spent.Sub(now) > (strangerBurst-1)*strangerPause {
		return false
	}
	q.spent = q.spent.Add(strangerPause)
	return true
}

// A Wire is an interface and an address family.
type Wire struct {
	Interface string
	V6        bool
}

func (w Wire) rxKey() rxKey { return rxKey{v6: w.V6, device: w.Interface} }

// A Stranger is a router on a wire that wants a session, and has none with us: it
// sends packets without our discriminator.
type Stranger struct {
	Interface string
	Source    netip.Addr
	Ours      netip.Addr // the address that it sends to
}

// Listen has the speaker receive on wires without sessions too, and tell of strangers
// there. The loop calls tell, so that must not wait; it may call Add.
func (s *Speaker) Listen(wires []Wire, tell func(Stranger)) {
	s.post(func() {
		s.wires = map[rxKey]*quota{}
		for _, w := range wires {
			s.wires[w.rxKey()] = &quota{}
		}
		s.table.stranger = func(d *Datagram, p Packet) bool { return s.meet(d, &p, tell) }
		s.open(time.Now())
	})
}

// meet tells of the sender of a packet that belongs to no session. It reports false if
// that is nobody to tell of.
func (s *Speaker) meet(d *Datagram, p *Packet, tell func(Stranger)) bool {
	wire := s.wires[rxKey{d.Source.Is6(), d.Multihop, d.Interface}]
	if wire == nil || d.TTL != HopLimit || p.Yours != 0 || p.State == AdminDown || !wire.take(d.Arrived) {
		return false
	}
	tell(Stranger{Interface: d.Interface, Source: d.Source, Ours: d.Destination})
	return true
}
