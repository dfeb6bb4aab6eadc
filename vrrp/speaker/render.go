package speaker

import (
	"net/netip"
	"slices"

	"holdfast/vrrp"
)

// render makes the frames of an advert with a priority; none when the router
// has no address to speak from. A router that is told to speak unicast never
// falls back to multicast: without lines it is silent.
func (r *router) render(priority uint8) []Frame {
	if !r.voice.Source.IsValid() {
		return nil
	}
	if r.config().Unicast {
		frames := make([]Frame, 0, len(r.voice.Lines))
		for _, l := range r.voice.Lines {
			frames = append(frames, Frame{r.voice.IfIndex, r.wrapped(priority, l.Peer, l.Wrap), true})
		}
		return frames
	}
	if r.voice.Wrap == nil {
		return nil
	}
	return []Frame{{r.voice.IfIndex, r.wrapped(priority, r.config().Family.Group(), r.voice.Wrap), false}}
}

func (r *router) wrapped(priority uint8, to netip.Addr, wrap func([]byte) []byte) []byte {
	c := r.config()
	a := vrrp.Advert{
		Version: c.Version, VRID: c.VRID, Priority: priority,
		Interval: c.Interval, Addresses: c.Addresses,
	}
	return slices.Clone(wrap(a.Append(nil, r.voice.Source, to, c.Checksum)))
}
