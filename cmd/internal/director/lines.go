package director

import (
	"net/netip"

	"holdfast/netdev"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// lines are the ways from source to the peers of an instance.
func lines(source netip.Addr, peers []vrrp.KnownPeer) ([]speaker.Line, error) {
	list := make([]speaker.Line, 0, len(peers))
	for _, p := range peers {
		packet, err := netdev.NewAdvertPacket(source, p.Address)
		if err != nil {
			return nil, err
		}
		list = append(list, speaker.Line{Peer: p.Address, Wrap: packet.Wrap})
	}
	return list, nil
}

// hear tells the port what the instances on an interface want to hear and how
// they speak.
func (d *Director) hear(l *netdev.Listen) {
	for _, in := range d.instances {
		if in.conf.Interface == l.Name {
			l.IPv4 = l.IPv4 || in.conf.Family == vrrp.IPv4
			l.IPv6 = l.IPv6 || in.conf.Family == vrrp.IPv6
			l.Unicast = l.Unicast || in.conf.Unicast
		}
	}
}

// reopen changes what the port hears after a reload changed an instance.
func (d *Director) reopen(in *instance) {
	if in.facts.Index == 0 {
		return
	}
	if in.deaf = d.openPort(in.conf.Interface, in.facts.Index); in.deaf != nil {
		d.tellFaults(in, diagnose(in))
	}
}
