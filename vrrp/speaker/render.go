package speaker

import (
	"net/netip"
	"slices"
	"time"

	"holdfast/vrrp"
)

// eachDestination calls use for every destination of the router's adverts: the
// multicast group, or each unicast peer. There is none if the router has no source
// address. A unicast router never falls back to multicast: without peers it sends
// nothing.
func (r *router) eachDestination(use func(to netip.Addr, wrap func([]byte) []byte, header int, routed bool)) {
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

// render makes the frames of an advert, which can be sent until something
// changes. It returns nil if authentication needs a new message each time.
func (r *router) render(priority uint8) []Frame {
	if r.guard != nil && r.guard.Fresh() {
		return nil
	}
	var frames []Frame
	r.eachDestination(func(to netip.Addr, wrap func([]byte) []byte, _ int, routed bool) {
		frames = append(frames, Frame{r.tx.IfIndex, slices.Clone(wrap(r.append(nil, message{priority: priority}, to))), routed})
	})
	return frames
}

// A message is what differs between the messages of a router.
type message struct {
	priority uint8
	backup   bool // a BACKUP ADVERTISEMENT
}

// append appends the message for a destination to b.
func (r *router) append(b []byte, m message, to netip.Addr) []byte {
	c := r.config()
	a := vrrp.Advert{
		Version: c.Version, VRID: c.VRID, Priority: m.priority, Backup: m.backup,
		Interval: c.Interval, Addresses: c.Addresses,
	}
	if r.guard != nil {
		r.guard.Mark(&a)
	}
	return a.Append(b, r.tx.Source, to, c.Checksum)
}

// queueAdvert queues the frames of an advert.
func (s *Speaker) queueAdvert(now time.Time, r *router, priority uint8) {
	g := r.guard
	if g == nil || !g.Fresh() {
		s.frames = append(s.frames, r.frames(priority)...)
		return
	}
	r.eachDestination(func(to netip.Addr, wrap func([]byte) []byte, header int, routed bool) {
		s.queueFrame(now, r, message{priority: priority}, to, wrap, header, routed)
	})
}
