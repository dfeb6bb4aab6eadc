package director

import (
	"net/netip"
	"reflect"

	"holdfast/conf"
	"holdfast/netdev"
	"holdfast/vrrp"
	"holdfast/vrrp/auth"
	"holdfast/vrrp/speaker"
)

// lines are the ways from source to the peers of an instance.
func lines(source netip.Addr, peers []vrrp.KnownPeer, ah bool) ([]speaker.Line, error) {
	list := make([]speaker.Line, 0, len(peers))
	for _, p := range peers {
		packet, err := netdev.NewAdvertPacket(source, p.Address)
		if err != nil {
			return nil, err
		}
		if ah {
			packet = packet.Authenticated()
		}
		list = append(list, speaker.Line{Peer: p.Address, Wrap: packet.Wrap})
	}
	return list, nil
}

// address gives a voice what depends on how its instance authenticates and on
// whom it speaks to.
func address(v *speaker.Voice, in *conf.Instance, mac netdev.MAC) error {
	ah := in.Auth.Kind == auth.Header
	v.Auth = in.Auth.Config
	if in.Unicast {
		var err error
		v.Lines, err = lines(v.Source, in.Peers, ah)
		return err
	}
	if in.Auth.Kind == auth.None {
		return nil
	}
	// Frames are made for every advert: this template is kept.
	template, err := netdev.NewAdvertFrame(mac, v.Source, in.Family.Group())
	if err != nil {
		return err
	}
	if ah {
		template = template.Authenticated()
	}
	v.Wrap, v.Header = template.Wrap, template.Header()
	return nil
}

// sameSpeech reports whether two configurations have an instance speak alike.
func sameSpeech(a, b *conf.Instance) bool {
	return reflect.DeepEqual(a.Config, b.Config) && a.Announce == b.Announce && a.Auth.Equal(&b.Auth.Config)
}

// hear tells the port what the instances on an interface want to hear and how
// they speak.
func (d *Director) hear(l *netdev.Listen) {
	for _, in := range d.instances {
		if in.conf.Interface == l.Name {
			l.IPv4 = l.IPv4 || in.conf.Family == vrrp.IPv4
			l.IPv6 = l.IPv6 || in.conf.Family == vrrp.IPv6
			l.Unicast = l.Unicast || in.conf.Unicast
			l.AH = l.AH || in.conf.Auth.Kind == auth.Header
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
