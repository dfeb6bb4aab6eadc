package bfd

import (
	"net/netip"
	"time"
)

// strangerPause bounds how often the speaker tells of strangers: anybody on the wire can
// send packets from as many addresses as he likes.
const strangerPause = 10 * time.Millisecond

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
		s.wires = map[rxKey]bool{}
		for _, w := range wires {
			s.wires[w.rxKey()] = true
		}
		s.table.stranger = func(d *Datagram, p Packet) bool { return s.meet(d, &p, tell) }
		s.open(time.Now())
	})
}

// meet tells of the sender of a packet that belongs to no session. It reports false if
// that is nobody to tell of.
func (s *Speaker) meet(d *Datagram, p *Packet, tell func(Stranger)) bool {
	switch {
	case !s.wires[rxKey{d.Source.Is6(), d.Multihop, d.Interface}] || d.TTL != HopLimit:
		return false
	case p.Yours != 0 || p.State == AdminDown || d.Arrived.Sub(s.met) < strangerPause:
		return false
	}
	s.met = d.Arrived
	tell(Stranger{Interface: d.Interface, Source: d.Source, Ours: d.Destination})
	return true
}
