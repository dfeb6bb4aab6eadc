package heartbeat

import (
	"net/netip"
	"path"
	"slices"

	"holdfast/conf/convert"
)

// A medium is an interface by which heartbeats went.
type medium struct {
	at    convert.Position
	iface string
	peers []netip.Addr // of ucast; nil: by broadcast or multicast
}

func (c *converter) bcast(l line) {
	for _, iface := range l.words[1:] {
		c.medium(l, iface, netip.Addr{})
	}
}

func (c *converter) mcast(l line) {
	if iface := l.value(); iface != "" {
		c.medium(l, iface, netip.Addr{})
	}
}

// ucast has an interface and the address of a node. The file may be the same on all
// nodes: heartbeat ignores a line with its own address.
func (c *converter) ucast(l line) {
	if len(l.words) < 3 {
		c.report.Person(l.at, "ucast: an interface and an address are needed")
		return
	}
	peer, err := netip.ParseAddr(l.words[2])
	if err != nil {
		c.report.Person(l.at, "ucast: adverts by %s are multicast here, because peers are addresses, and %s is none", l.value(), l.words[2])
	}
	c.medium(l, l.value(), peer)
}

// medium notes one medium. Several lines for an interface are one: by multicast if any is.
func (c *converter) medium(l line, iface string, peer netip.Addr) {
	c.report.Note(l.at, "%s: adverts go by the interface of the addresses; if %s is another one, they also go there (also)", l.words[0], iface)
	var peers []netip.Addr
	if peer.IsValid() {
		peers = []netip.Addr{peer}
	}
	i := slices.IndexFunc(c.cluster.media, func(m medium) bool { return m.iface == iface })
	switch {
	case i < 0:
		c.cluster.media = append(c.cluster.media, medium{l.at, iface, peers})
	case peers == nil || c.cluster.media[i].peers == nil:
		c.cluster.media[i].peers = nil
	case !slices.Contains(c.cluster.media[i].peers, peer):
		c.cluster.media[i].peers = append(c.cluster.media[i].peers, peer)
	}
}

// serial has devices of serial lines. Adverts are IP packets, so the line becomes an
// interface by the point-to-point protocol, which the result cannot set up.
func (c *converter) serial(l line) {
	for _, device := range l.words[1:] {
		name := path.Base(device)
		c.report.Person(l.at, "serial %s: VRRP needs IP. Make the line a network interface on both directors, for example by \"pppd %s 115200 local nodetach noauth persist maxfail 0 10.255.255.1:10.255.255.2\" in a systemd unit (the addresses the other way round on the other one), "+
			"and add it to each [[vrrp]]: also = [{ interface = \"ppp0\", unicast = true, peers = [\"10.255.255.2\"] }]. Or connect two network cards with a cable", name, device)
	}
}

// also writes the media of a group that are not the interface of its addresses.
func (c *converter) also(g *group, t *convert.Table, iface string) {
	var all []any
	at := g.at
	is6 := g.addresses[0].prefix.Addr().Is6()
	for i := range c.cluster.media {
		m := &c.cluster.media[i]
		if m.iface == iface {
			continue
		}
		if len(all) == 0 {
			at = m.at
		}
		path := convert.Inline{{Key: "interface", Value: m.iface}}
		switch {
		case m.peers == nil:
		case is6 || slices.ContainsFunc(m.peers, netip.Addr.Is6):
			c.once(m.at, false, "ucast on %s: adverts for IPv6 addresses go there by multicast", m.iface)
		default:
			peers := make([]string, len(m.peers))
			for i, p := range m.peers {
				peers[i] = p.String()
			}
			path = append(path, convert.Pair{Key: "unicast", Value: true}, convert.Pair{Key: "peers", Value: peers})
			if len(peers) > 1 {
				c.once(m.at, false, "ucast on %s: leave the director's own address out of the peers", m.iface)
			}
		}
		all = append(all, path)
	}
	if len(all) > 0 {
		t.Set(at, "also", all)
	}
}
