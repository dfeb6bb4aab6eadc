package director

import (
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"holdfast/netdev"
	"holdfast/netdev/frame"
	"holdfast/netdev/port"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// vrrpPort adapts a port.Port to what a speaker wants.
type vrrpPort struct {
	*port.Port
	in  []port.Packet
	out []port.Frame
}

// Receive implements speaker.Port.
func (p *vrrpPort) Receive(deadline time.Time, into []speaker.Packet) ([]speaker.Packet, error) {
	in, err := p.Port.Receive(deadline, p.in[:0])
	if err != nil {
		return into, err
	}
	p.in = in
	for i := range in {
		into = append(into, speaker.Packet{IfIndex: in[i].IfIndex, Packet: vrrp.Packet{
			Source: in[i].Source, Destination: in[i].Destination,
			HopLimit: in[i].HopLimit, Payload: in[i].Payload,
		}, Datagram: in[i].Datagram})
	}
	return into, nil
}

// Send implements speaker.Port.
func (p *vrrpPort) Send(frames []speaker.Frame) []speaker.SendError {
	p.out = p.out[:0]
	for _, f := range frames {
		p.out = append(p.out, port.Frame(f))
	}
	if _, err := p.Port.Send(p.out); err != nil {
		return refusals(err)
	}
	return nil
}

// refusals takes apart the error of a port.Port's Send.
func refusals(err error) (all []speaker.SendError) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	for _, one := range joined.Unwrap() {
		if refused := (*port.SendError)(nil); errors.As(one, &refused) {
			all = append(all, speaker.SendError{IfIndex: refused.IfIndex, Err: refused})
		}
	}
	return all
}

// A speech is what a voice is made of.
type speech struct {
	index     int
	source    netip.Addr
	group     netip.Addr
	mac       frame.MAC // where the addresses are
	advertMAC frame.MAC // where adverts come from
	router    bool      // the host forwards IPv6
}

// voice builds how a virtual router speaks and announces addresses. Both forms of gratuitous ARP are sent: the request, which RFC 9568 §6.4.1
// wants, and the reply, which alone some neighbours heed.
func voice(s speech, addresses []netip.Addr) (speaker.TxConfig, error) {
	v := speaker.TxConfig{IfIndex: s.index, Source: s.source, Multicast: s.group}
	if _, err := frame.NewAdvert(s.advertMAC, s.source, s.group); err != nil {
		return v, err
	}
	// A template has room for the longest advert, and frames are made once: it
	// is not kept.
	v.Wrap = func(advert []byte) []byte {
		template, err := frame.NewAdvert(s.advertMAC, s.source, s.group)
		if err != nil {
			return nil
		}
		return slices.Clone(template.Wrap(advert))
	}
	return v, announce(&v, s.index, s.mac, s.router, addresses)
}

// announce has a voice announce addresses at a MAC on an interface.
func announce(v *speaker.TxConfig, index int, mac frame.MAC, router bool, addresses []netip.Addr) error {
	for _, a := range addresses {
		frames, err := announcements(mac, a, router)
		if err != nil {
			return err
		}
		for _, f := range frames {
			v.Announcements = append(v.Announcements, speaker.Frame{IfIndex: index, Bytes: f})
		}
		v.Ends = append(v.Ends, len(v.Announcements))
	}
	return nil
}

func announcements(mac frame.MAC, addr netip.Addr, router bool) ([][]byte, error) {
	if addr.Is6() {
		na, err := frame.UnsolicitedNA(mac, addr, router)
		return [][]byte{na}, err
	}
	var frames [][]byte
	for _, op := range []frame.ARPOperation{frame.ARPRequest, frame.ARPReply} {
		f, err := frame.GratuitousARP(mac, addr, op)
		if err != nil {
			return nil, err
		}
		frames = append(frames, f)
	}
	return frames, nil
}

// deviceHost fits netdev.Host to what hands want: outcomes by device.
type deviceHost struct {
	host  *netdev.Host
	names *deviceNames
	// later does what nobody waits for, in order, in another goroutine.
	later func(func())
	log   *slog.Logger
}

// Claim implements devices.
func (h deviceHost) Claim(routers []string) []error {
	return h.each(h.host.Claim, h.host.Claim, routers)
}

// ClaimInParts implements devices. Only the device on a router's own interface,
// which is its first, is told of: its addresses are announced before the others.
func (h deviceHost) ClaimInParts(routers []string, up func([]claimed)) []error {
	of := make(map[string]int, len(routers))
	for i, r := range routers {
		if names := h.names.of(r); len(names) > 0 {
			of[names[0]] = i
		}
	}
	tell := func(parts []netdev.Part) {
		all := make([]claimed, 0, len(parts))
		for _, p := range parts {
			if i, first := of[p.Device]; first {
				all = append(all, claimed{i, p.Addresses})
			}
		}
		up(all)
	}
	claim := func(names ...string) error { return h.host.ClaimInParts(tell, names...) }
	return h.each(claim, h.host.Claim, routers)
}

// Mute implements devices.
func (h deviceHost) Mute(routers []string) []error {
	return h.each(h.host.Mute, h.host.Mute, routers)
}

// Release implements devices. Devices that are not needed any more are removed:
// the kernel takes down many in the time of one. The others fall silent at once
// and are taken down by and by, so that no claim waits for that.
func (h deviceHost) Release(routers []string) []error {
	if !slices.ContainsFunc(routers, func(r string) bool { return !h.names.leaves(r) }) {
		return h.each(h.host.Remove, h.host.Remove, routers)
	}
	errs := h.each(h.host.Disable, h.host.Disable, routers)
	for _, r := range routers {
		for _, name := range h.names.of(r) {
			h.later(func() {
				if err := h.host.TakeDown(name); err != nil {
					h.log.Error("cannot take a device down", "vrrp", r, "err", err)
				}
			})
		}
	}
	return errs
}

// each does one thing to all devices in one go. Only if that fails is it done
// again router by router, which does no harm to those that are done, to learn
// which router the failure belongs to.
func (h deviceHost) each(do, again func(...string) error, routers []string) []error {
	errs := make([]error, len(routers))
	var names []string
	for _, r := range routers {
		names = append(names, h.names.of(r)...)
	}
	if err := do(names...); err == nil || len(routers) == 1 {
		errs[0] = err
		return errs
	}
	for i, r := range routers {
		errs[i] = again(h.names.of(r)...)
	}
	return errs
}
