package director

import (
	"net/netip"
	"reflect"
	"slices"

	"holdfast/conf"
	"holdfast/netdev"
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
func (rs *routers) hear(l *port.Listen) {
	for _, in := range rs.instances {
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
func (rs *routers) reopen(in *instance) {
	if in.facts.Index != 0 {
		rs.rehear(in.conf.Interface, in.facts.Index)
	}
}

// leave closes the port on an interface that an instance does not use any more,
// or hears there what the others want.
func (rs *routers) leave(name string, index int) {
	switch {
	case index == 0:
	case rs.runsOn(name):
		rs.rehear(name, index)
	default:
		rs.port.Close(index)
	}
}

// rehear hears on an interface what its instances want by now.
func (rs *routers) rehear(name string, index int) {
	err := rs.openPort(name, index)
	for _, in := range rs.instances {
		if in.conf.Interface == name && (in.portErr != nil || err != nil) {
			in.portErr = err
			rs.tellFaults(in, diagnose(in))
		}
	}
}

func sameVoice(in *instance, a, b *netdev.Interface) bool {
	return a.Index == b.Index && a.MAC == b.MAC && source(in, a) == source(in, b) && a.Forwarding6 == b.Forwarding6
}

// speechOf says what the voice of an instance is made of, on its interface as it is.
func speechOf(in *instance) speech {
	s := speech{
		index: in.facts.Index, source: source(in, &in.facts), group: in.conf.MulticastGroup(),
		mac: frame.MAC(in.conf.MAC.Address), router: in.facts.Forwarding6,
	}
	if in.conf.MAC.Mode == conf.MACInterface {
		s.mac = in.facts.MAC
	}
	s.advertMAC = s.mac
	if in.conf.AdvertMAC == conf.AdvertInterface {
		s.advertMAC = in.facts.MAC
	}
	return s
}

// voiceOf builds the voice of an instance.
func (rs *routers) voiceOf(in *instance) (speaker.TxConfig, error) {
	s := speechOf(in)
	if !s.source.IsValid() {
		return speaker.TxConfig{IfIndex: s.index}, nil
	}
	v, err := voice(s, announced(&in.conf, ""))
	if err == nil {
		err = in.announceExtraInterfaces(&v)
	}
	if err == nil {
		err = address(&v, &in.conf, s.advertMAC)
	}
	return v, err
}

// respeak tells the speaker what is new about an instance: its faults, and how
// it speaks if that changed. One that loses its voice is told the fault first,
// so that it can say farewell.
func (rs *routers) respeak(in *instance, changed bool) {
	if !source(in, &in.facts).IsValid() {
		rs.tellFaults(in, diagnose(in))
	}
	if changed {
		rs.revoice(in)
	}
	rs.tellFaults(in, diagnose(in))
}

// revoice tells the speaker how an instance speaks now. One that it does not
// have yet gets its voice when it is added.
func (rs *routers) revoice(in *instance) {
	if !in.added {
		return
	}
	v, err := rs.voiceOf(in)
	if err == nil {
		err = rs.speaker.SetTx(in.conf.Name, v, pace(&in.conf.Announce))
	}
	if err != nil {
		rs.log.Error("cannot change how a virtual router speaks", "vrrp", in.conf.Name, "err", err)
	}
}

func pace(a *conf.Announce) speaker.AnnounceConfig {
	return speaker.AnnounceConfig{
		Repeat: a.Repeat, Delay: a.Delay, Refresh: a.Refresh,
		RefreshRepeat: a.RefreshRepeat, Interval: a.Interval,
	}
}
