package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// A branch is a port's place on a second wire, by which the same adverts go.
type branch struct {
	wire    string
	source  netip.Addr
	cut     bool
	arrival map[netip.Addr]time.Duration // of the last frame, by sender
}

// populatePaths gives the wires of some LANs a second path each. The order of addresses
// may differ between the paths, and all of one path may be below those of the other.
func (l *lan) populatePaths() {
	if l.redundant = l.chance(0.4); !l.redundant {
		return
	}
	crossed, network := l.chance(0.5), pick[byte](l, 9, 11)
	for i, n := range l.nodes {
		host := byte(1 + i)
		if crossed {
			host = byte(200 - i)
		}
		for j := range n.ports {
			source := netip.AddrFrom4([4]byte{network, byte(j), 0, host})
			if n.cfgs[j].Family == IPv6 {
				source = netip.AddrFrom16([16]byte{0xfe, 0x80, 14: byte(128 + j), 15: host})
			}
			n.cfgs[j].Paths = []PathConfig{{Name: "also"}}
			n.ports[j].also = &branch{wire: n.ports[j].wire + "+", source: source, arrival: map[netip.Addr]time.Duration{}}
		}
	}
}

// layOut tells a port's Paths its configuration.
func (n *node) layOut(i int) {
	p := &n.ports[i]
	own := []netip.Addr{p.source}
	if p.also != nil {
		own = append(own, p.also.source)
	}
	p.paths.Configure(&n.cfgs[i], own)
}

// transmitAlso puts an advert on the second path.
func (n *node) transmitAlso(member int, a Advert) {
	p := &n.ports[member]
	if p.also == nil || p.also.cut {
		return
	}
	w, cfg := n.w, n.machine(member).Config()
	a.Origin = p.source
	dst := cfg.Family.MulticastGroup()
	packet := Packet{p.also.source, dst, HopLimit, a.Append(nil, p.also.source, dst, cfg.Checksum)}
	for _, to := range w.nodes {
		for i := range to.ports {
			if also := to.ports[i].also; to != n && also != nil && also.wire == p.also.wire && (w.loss == 0 || w.rng.Float64() >= w.loss) {
				to.receiveAlso(i, packet)
			}
		}
	}
}

// receiveAlso lets a packet arrive by the second path after the wire's delay.
func (n *node) receiveAlso(member int, packet Packet) {
	also := n.ports[member].also
	if !n.on || also.cut {
		return
	}
	at := n.w.now + n.w.between(n.w.delayMin, n.w.delayMax)
	if !n.w.reorder {
		at = max(at, also.arrival[packet.Source])
	}
	also.arrival[packet.Source] = at
	life := n.life
	n.w.at(at, func() {
		if !also.cut {
			n.whenAble(life, func() { n.decode(member, 1, packet) })
		}
	})
}

// mischiefPath cuts the second path of a port, or mends it.
func (l *lan) mischiefPath(n *node, i int) bool {
	also := n.ports[i].also
	if also == nil || l.chance(0.5) {
		return false
	}
	also.cut = !also.cut
	l.note("cut second path of %s: %v", n.portName(i), also.cut)
	return true
}

func (p *port) mendAlso() {
	if p.also != nil {
		p.also.cut = false
	}
}

// breakSwitch cuts one path of every wire for all directors, or mends it.
func (l *lan) breakSwitch(path int, cut bool) {
	l.note("break path %d of all wires: %v", path, cut)
	for _, n := range l.nodes {
		for i := range n.ports {
			if p := &n.ports[i]; path == 0 {
				p.cut = cut
			} else {
				p.also.cut = cut
			}
		}
	}
}

// takeovers is how often any director has become MASTER.
func (l *lan) takeovers() string {
	text := ""
	for _, n := range l.nodes {
		for i := range n.ports {
			if n.on {
				text += fmt.Sprintf("%s %d, ", n.portName(i), n.machine(i).counters.BecameMaster)
			}
		}
	}
	return text
}

// exercisePaths breaks one path: nobody notices. If the power is lost everywhere meanwhile,
// or the other path was broken too and there were several MASTERs, one is elected by the
// other path alone, and is MASTER still when both work: a tie is decided in the same way
// by either path.
func (l *lan) exercisePaths(master *node) {
	path := l.rng.IntN(2)
	interval, delay := l.longest()
	settle := func() { l.run(9*interval + 2*delay + time.Second) }
	l.breakSwitch(path, true)
	switch l.rng.IntN(3) {
	case 0:
		l.note("power is lost everywhere")
		for _, n := range l.nodes {
			n.kill()
		}
		together := l.chance(0.5)
		for _, n := range l.nodes {
			if !together {
				l.run(l.between(0, interval))
			}
			n.start()
		}
		settle()
		master = l.checkQuiet()
	case 1:
		l.breakSwitch(1-path, true)
		settle()
		l.breakSwitch(1-path, false)
		settle()
		master = l.checkQuiet()
	}
	l.unmoved(master, "with one path", settle)
	l.unmoved(master, "when the other is mended", func() { l.breakSwitch(path, false); settle() })
	// Half of the directors hear each other by one path, and by the other all do.
	l.unmoved(master, "with a path broken here and there", func() {
		for _, n := range l.nodes {
			for i := range n.ports {
				switch cut := l.chance(0.5); path {
				case 0:
					n.ports[i].cut = cut
				default:
					n.ports[i].also.cut = cut
				}
			}
		}
		settle()
	})
}

// unmoved checks that nobody becomes MASTER while do is done.
func (l *lan) unmoved(master *node, what string, do func()) {
	before := l.takeovers()
	do()
	if now := l.checkQuiet(); now != master && l.failed == "" {
		l.fail("%s: MASTER changed from %v to %v", what, nameOf(master), nameOf(now))
	}
	if after := l.takeovers(); after != before && l.failed == "" {
		l.fail("%s: MASTERs came and went: before %s after %s", what, before, after)
	}
}
