package speaker

import (
	"net/netip"
	"slices"
	"time"

	"holdfast/vrrp"
)

// eachDestination calls use for every destination of the router's adverts: on each path
// the multicast group, or each unicast peer. A path without a source address has none,
// and without one on the first path no path has. A unicast path never falls back to
// multicast: without peers nothing is sent there.
func (r *router) eachDestination(use func(path int, to netip.Addr, wrap func([]byte) []byte, header int, routed bool)) {
	if !r.tx.Source.IsValid() {
		return
	}
	for path := range r.wires {
		switch tx := &r.wires[path].tx; {
		case !tx.Source.IsValid():
		case r.paths.On(path).Unicast:
			for i := range tx.Peers {
				use(path, tx.Peers[i].Address, tx.Peers[i].Wrap, 0, true)
			}
		case tx.Wrap != nil:
			use(path, tx.Multicast, tx.Wrap, tx.Header, false)
		}
	}
}

// render makes the frames of an advert, which can be sent until something
// changes. It returns nil if authentication needs a new message each time.
func (r *router) render(priority uint8) []Frame {
	if r.fresh() {
		return nil
	}
	var frames []Frame
	r.eachDestination(func(path int, to netip.Addr, wrap func([]byte) []byte, _ int, routed bool) {
		frames = append(frames, Frame{r.wires[path].tx.IfIndex, slices.Clone(wrap(r.append(nil, message{path: path, priority: priority}, to))), routed})
	})
	return frames
}

// fresh reports whether authentication needs a new message each time.
func (r *router) fresh() bool {
	g := r.wires[0].guard
	return g != nil && g.Fresh()
}

// A message is what differs between the messages of a router.
type message struct {
	path     int
	priority uint8
	backup   bool // a BACKUP ADVERTISEMENT
	answer   bool // … that answers one
}

// append appends the message for a destination on a path to b.
func (r *router) append(b []byte, m message, to netip.Addr) []byte {
	c := r.config()
	a := vrrp.Advert{
		Version: c.Version, VRID: c.VRID, Priority: m.priority, Backup: m.backup,
		Interval: c.Interval, Addresses: c.Addresses,
	}
	if m.answer {
		a.Answer, a.Interval = true, 0
	}
	w := &r.wires[m.path]
	if m.path > 0 {
		a.Origin = r.tx.Source
	}
	if w.guard != nil {
		w.guard.Mark(&a)
	}
	return a.Append(b, w.tx.Source, to, c.Checksum)
}

// queueAdvert queues the frames of an advert.
func (s *Speaker) queueAdvert(now time.Time, r *router, priority uint8) {
	for i := range r.wires {
		if r.wires[i].tx.Source.IsValid() {
			r.wires[i].sent++
		}
	}
	if !r.fresh() {
		s.frames = append(s.frames, r.frames(priority)...)
		return
	}
	r.eachDestination(func(path int, to netip.Addr, wrap func([]byte) []byte, header int, routed bool) {
		s.queueFrame(now, r, message{path: path, priority: priority}, to, wrap, header, routed)
	})
}
