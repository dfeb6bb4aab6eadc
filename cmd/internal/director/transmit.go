package director

import (
	"net/netip"
	"reflect"
	"slices"

	"holdfast/conf"
	"holdfast/netdev/frame"
	"holdfast/netdev/port"
	"holdfast/vrrp"
	"holdfast/vrrp/auth"
	"holdfast/vrrp/speaker"
)

// lines are the ways from source to the peers of an instance.
func lines(source netip.Addr, in *conf.Instance, ah bool) ([]speaker.PeerTx, error) {
	list := make([]speaker.PeerTx, 0, len(in.Peers))
	for _, p := range in.Peers {
		packet, err := frame.NewRoutedAdvert(source, p.Address)
		if err != nil {
			return nil, err
		}
		packet.Hops(in.TTL)
		if ah {
			packet = packet.Authenticated()
		}
		list = append(list, speaker.PeerTx{Address: p.Address, Wrap: packet.Wrap})
	}
	return list, nil
}

// address gives a voice what depends on how its instance authenticates and on
// whom it speaks to.
func address(v *speaker.TxConfig, in *conf.Instance, mac frame.MAC) error {
	ah := in.Auth.Kind == auth.Header
	v.Auth = in.Auth.Config
	if in.Unicast {
		var err error
		v.Peers, err = lines(v.Source, in, ah)
		return err
	}
	if in.Auth.Kind == auth.None {
		return nil
	}
	// Frames are made for every advert: this template is kept.
	template, err := frame.NewAdvert(mac, v.Source, v.Multicast)
	if err != nil {
		return err
	}
	if ah {
		template = template.Authenticated()
	}
	v.Wrap, v.Header = template.Wrap, template.Header()
	return nil
}

// sameSpeech reports whether two configurations have an instance speak alike:
// the same adverts, and the same announcements on the same interfaces.
func sameSpeech(a, b *conf.Instance) bool {
	return reflect.DeepEqual(a.Config, b.Config) && a.Announce == b.Announce && a.Auth.Equal(&b.Auth.Config) &&
		a.AdvertMAC == b.AdvertMAC && a.TTL == b.TTL &&
		slices.Equal(a.Prefixes, b.Prefixes) && slices.Equal(a.Excluded, b.Excluded)
}

// hear tells the port what the instances on an interface want to hear and how
// they speak.
func (d *Director) hear(l *port.Listen) {
	for _, in := range d.instances {
		if in.conf.Interface == l.Name {
			l.IPv4 = l.IPv4 || in.conf.Family == vrrp.IPv4
			l.IPv6 = l.IPv6 || in.conf.Family == vrrp.IPv6
			l.Unicast = l.Unicast || in.conf.Unicast
			if g := in.conf.MulticastGroup(); !slices.Contains(l.Groups, g) {
				l.Groups = append(l.Groups, g)
			}
			l.AH = l.AH || in.conf.Auth.Kind == auth.Header
		}
	}
}

// reopen changes what the port hears after a reload changed an instance.
func (d *Director) reopen(in *instance) {
	if in.facts.Index != 0 {
		d.rehear(in.conf.Interface, in.facts.Index)
	}
}

// leave closes the port on an interface that an instance does not use any more,
// or hears there what the others want.
func (d *Director) leave(name string, index int) {
	switch {
	case index == 0:
	case d.runsOn(name):
		d.rehear(name, index)
	default:
		d.port.Close(index)
	}
}

// rehear hears on an interface what its instances want by now.
func (d *Director) rehear(name string, index int) {
	err := d.openPort(name, index)
	for _, in := range d.instances {
		if in.conf.Interface == name && (in.portErr != nil || err != nil) {
			in.portErr = err
			d.tellFaults(in, diagnose(in))
		}
	}
}
