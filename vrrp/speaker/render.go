package speaker

import (
	"net/netip"
	"slices"
	"time"

	"holdfast/vrrp"
)

// ways calls use for every way that adverts of the router go: to the multicast
// group, or to each peer. There is none when the router has no address to speak
// from. A router that is told to speak unicast never falls back to multicast:
// without lines it is silent.
func (r *router) ways(use func(to netip.Addr, wrap func([]byte) []byte, header int, routed bool)) {
	switch {
	case !r.tx.Source.IsValid():
	case r.config().Unicast:
		for i := range r.tx.Peers {
			use(r.tx.Peers[i].Address, r.tx.Peers[i].Wrap, 0, true)
		}
	case r.tx.Wrap != nil:
		use(r.tx.Multicast, r.tx.Wrap, r.tx.Header, false)
	}
}

// render makes frames that serve until something changes. Where each message
// has a number of its own there are none.
func (r *router) render(priority uint8) []Frame {
	if r.guard != nil && r.guard.Fresh() {
		return nil
	}
	var frames []Frame
	r.ways(func(to netip.Addr, wrap func([]byte) []byte, _ int, routed bool) {
		frames = append(frames, Frame{r.tx.IfIndex, slices.Clone(wrap(r.append(nil, priority, to))), routed})
	})
	return frames
}

// append appends the message for a destination.
func (r *router) append(b []byte, priority uint8, to netip.Addr) []byte {
	c := r.config()
	a := vrrp.Advert{
		Version: c.Version, VRID: c.VRID, Priority: priority,
		Interval: c.Interval, Addresses: c.Addresses,
	}
	if r.guard != nil {
		r.guard.Mark(&a)
	}
	return a.Append(b, r.tx.Source, to, c.Checksum)
}

// say queues the frames of an advert.
func (s *Speaker) queueAdvert(now time.Time, r *router, priority uint8) {
	g := r.guard
	if g == nil || !g.Fresh() {
		s.frames = append(s.frames, r.frames(priority)...)
		return
	}
	r.ways(func(to netip.Addr, wrap func([]byte) []byte, header int, routed bool) {
		b := g.Begin(s.message[:0], now, r.tx.Source)
		s.message = g.Seal(r.append(b, priority, to), now, r.tx.Source)
		begin := len(s.arena)
		s.arena = append(s.arena, wrap(s.message)...)
		frame := s.arena[begin:len(s.arena):len(s.arena)]
		if len(frame) <= header {
			return // longer than any frame can be
		}
		g.Finish(frame[header:])
		s.frames = append(s.frames, Frame{r.tx.IfIndex, frame, routed})
	})
}
