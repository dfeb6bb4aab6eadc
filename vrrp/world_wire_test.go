package vrrp

import (
	"fmt"
	"net/netip"
)

// transmit puts an advert on the wire.
func (n *node) transmit(member int, priority uint8) {
	w := n.w
	w.sent++
	cfg := n.machine(member).Config()
	a := Advert{Version: cfg.Version, VRID: cfg.VRID, Priority: priority, Interval: cfg.Interval, Addresses: cfg.Addresses}
	n.spread(member, a, cfg.Family.MulticastGroup())
}

// spread puts a message on the wire.
func (n *node) spread(member int, a Advert, dst netip.Addr) {
	w, p := n.w, &n.ports[member]
	n.transmitAlso(member, a)
	payload := a.Append(nil, p.source, dst, n.machine(member).Config().Checksum)
	if p.cut || p.dumb {
		return
	}
	packet := Packet{p.source, dst, HopLimit, payload}
	for _, to := range w.nodes {
		for i := range to.ports {
			if to == n || to.ports[i].wire != p.wire || !dst.IsMulticast() && to.ports[i].source != dst {
				continue
			}
			if w.loss > 0 && w.rng.Float64() < w.loss {
				continue
			}
			to.receive(i, packet)
			if w.duplicate > 0 && w.rng.Float64() < w.duplicate {
				to.receive(i, packet)
			}
		}
	}
}

// receive lets a packet arrive after the wire's delay.
func (n *node) receive(member int, packet Packet) {
	p := &n.ports[member]
	if !n.on || p.cut || p.deaf {
		return
	}
	at := n.w.now + n.w.between(n.w.delayMin, n.w.delayMax)
	if !n.w.reorder {
		at = max(at, p.arrival[packet.Source])
	}
	p.arrival[packet.Source] = at
	life := n.life
	n.w.at(at, func() {
		if p := &n.ports[member]; !p.cut && !p.deaf {
			n.whenAble(life, func() { n.decode(member, 0, packet) })
		}
	})
}

// decode gives the machine what a packet holds that came by a path.
func (n *node) decode(member, path int, packet Packet) {
	paths := &n.ports[member].paths
	drop := Decode(packet, &n.advert)
	var from netip.Addr
	if drop == DropNone {
		from, drop = paths.Admit(path, packet, &n.advert)
	}
	if drop == DropNone {
		r := &Received{Advert: &n.advert, Source: from}
		if fresh, _ := paths.Hear(n.clock(), path, r); fresh {
			n.step(member, r)
		}
		return
	}
	key := dropped{packet.Source, drop}
	if !n.drops[key] && n.w.log != nil {
		n.drops[key] = true
		n.w.log(n, member, fmt.Sprintf("drops adverts of %v: %v", packet.Source, drop))
	}
}
