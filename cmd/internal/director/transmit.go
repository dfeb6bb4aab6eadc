package director

import (
	"net/netip"
	"reflect"
	"slices"

	"holdfast/conf"
	"holdfast/netdev"
	"holdfast/netdev/frame"
	"holdfast/vrrp/auth"
	"holdfast/vrrp/speaker"
)

// A txSource says on which interface, and from which addresses, a virtual router
// sends.
type txSource struct {
	index     int
	source    netip.Addr
	group     netip.Addr
	mac       frame.MAC // of the device that has the addresses
	advertMAC frame.MAC // that adverts are sent from
	router    bool      // the host forwards IPv6
}

// sameAnnouncements reports whether two sources announce addresses in the same way.
func (s txSource) sameAnnouncements(t *txSource) bool {
	return s.index == t.index && s.mac == t.mac && s.router == t.router
}

// newTxConfig returns how a virtual router sends adverts, and announces addresses.
// Both forms of gratuitous ARP are sent: the request, which RFC 9568 §6.4.1 asks for,
// and the reply, which is all that some neighbours heed.
func newTxConfig(s txSource, addresses []netip.Addr) (speaker.TxConfig, error) {
	tx := speaker.TxConfig{IfIndex: s.index, Source: s.source, Multicast: s.group}
	if _, err := frame.NewAdvert(s.advertMAC, s.source, s.group); err != nil {
		return tx, err
	}
	// A template has room for the longest advert, and the speaker keeps the frames
	// that it makes: the template is not kept.
	tx.Wrap = func(advert []byte) []byte {
		template, err := frame.NewAdvert(s.advertMAC, s.source, s.group)
		if err != nil {
			return nil
		}
		return slices.Clone(template.Wrap(advert))
	}
	return tx, addAnnouncements(&tx, s.index, s.mac, s.router, addresses)
}

// addAnnouncements adds the frames that announce addresses at a MAC on an interface.
func addAnnouncements(tx *speaker.TxConfig, index int, mac frame.MAC, router bool, addresses []netip.Addr) error {
	for _, a := range addresses {
		frames, err := announcements(mac, a, router)
		if err != nil {
			return err
		}
		for _, f := range frames {
			tx.Announcements = append(tx.Announcements, speaker.Frame{IfIndex: index, Bytes: f})
		}
		tx.Ends = append(tx.Ends, len(tx.Announcements))
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

// addRecipients adds to whom an instance sends adverts, and how it authenticates them.
func addRecipients(tx *speaker.TxConfig, in *conf.Instance, mac frame.MAC) error {
	ah := in.Auth.Kind == auth.Header
	tx.Auth = in.Auth.Config
	if in.Unicast {
		var err error
		tx.Peers, err = peerTx(tx.Source, in, ah)
		return err
	}
	if in.Auth.Kind == auth.None {
		return nil
	}
	// Every advert has a frame of its own: this template is kept.
	template, err := frame.NewAdvert(mac, tx.Source, tx.Multicast)
	if err != nil {
		return err
	}
	if ah {
		template = template.Authenticated()
	}
	tx.Wrap, tx.Header = template.Wrap, template.Header()
	return nil
}

// addBackup adds how an instance with fast sends what is no advert: from mac, the address
// of its interface, because the virtual one is the MASTER's.
func addBackup(tx *speaker.TxConfig, ah bool, mac frame.MAC) {
	source, group := tx.Source, tx.Multicast
	tx.BackupHeader = frame.EthernetLen
	tx.WrapBackup = func(to netip.Addr, message []byte) []byte {
		template, err := frame.NewAdvert(mac, source, group)
		if to.IsValid() {
			template, err = frame.NewRoutedAdvert(source, to)
		}
		if err != nil {
			return nil
		}
		if ah {
			template = template.Authenticated()
		}
		return template.Wrap(message)
	}
}

// peerTx returns how an instance sends from source to each of its unicast peers.
func peerTx(source netip.Addr, in *conf.Instance, ah bool) ([]speaker.PeerTx, error) {
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

// sameTx reports whether an instance sends the same by two configurations: the same
// adverts, and the same announcements on the same interfaces.
func sameTx(a, b *conf.Instance) bool {
	return reflect.DeepEqual(a.Config, b.Config) && a.Announce == b.Announce && a.Auth.Equal(&b.Auth.Config) &&
		a.AdvertMAC == b.AdvertMAC && a.TTL == b.TTL && reflect.DeepEqual(a.Also, b.Also) &&
		slices.Equal(a.Prefixes, b.Prefixes) && slices.Equal(a.Excluded, b.Excluded)
}

// sameSource reports whether an instance sends the same from its interface in two
// states.
func sameSource(in *instance, a, b *netdev.Interface) bool {
	return a.Index == b.Index && a.MAC == b.MAC && source(in, a) == source(in, b) && a.Forwarding6 == b.Forwarding6
}

// txSourceOf returns from where an instance sends, on its interface as it is now.
func txSourceOf(in *instance) txSource {
	s := txSource{
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

// txConfigOf returns how an instance sends. Without a source address it cannot.
func txConfigOf(in *instance) (speaker.TxConfig, error) {
	s := txSourceOf(in)
	if !s.source.IsValid() {
		tx := speaker.TxConfig{IfIndex: s.index, Interface: in.conf.Interface}
		return tx, addWires(&tx, &in.conf.Config, &in.conf.Auth.Config, in.wireTx())
	}
	tx, err := newTxConfig(s, announced(in.conf, ""))
	tx.Interface = in.conf.Interface
	if err == nil {
		err = in.announceExtraInterfaces(&tx)
	}
	if err == nil {
		err = addRecipients(&tx, in.conf, s.advertMAC)
	}
	if in.conf.Fast {
		addBackup(&tx, in.conf.Auth.Kind == auth.Header, in.facts.MAC)
	}
	if err == nil {
		err = addWires(&tx, &in.conf.Config, &in.conf.Auth.Config, in.wireTx())
	}
	return tx, err
}

// updateTx tells the speaker what is new about an instance: its faults, and how it
// sends if that changed. One that can no longer send is told the fault first, so
// that it can still say that it stops.
func (rs *routers) updateTx(in *instance, changed bool) {
	if !source(in, &in.facts).IsValid() {
		rs.setFaults(in, diagnose(in))
	}
	if changed {
		rs.setTx(in)
	}
	rs.setFaults(in, diagnose(in))
}

// setTx tells the speaker how an instance sends now. An instance that the speaker
// does not have yet gets that when it is added.
func (rs *routers) setTx(in *instance) {
	if !in.added {
		return
	}
	tx, err := txConfigOf(in)
	if err == nil {
		err = rs.speaker.SetTx(in.conf.Name, tx, announceConfig(&in.conf.Announce))
	}
	if err != nil {
		rs.log.Error("cannot change how a virtual router sends", "vrrp", in.conf.Name, "err", err)
	}
}

// reannounce has an instance that is MASTER announce its addresses as at a takeover.
func (rs *routers) reannounce(in *instance) {
	if !in.added {
		return
	}
	if err := rs.speaker.Reannounce(in.conf.Name); err != nil {
		rs.log.Error("cannot announce the addresses of a virtual router", "vrrp", in.conf.Name, "err", err)
	}
}

func announceConfig(a *conf.Announce) speaker.AnnounceConfig {
	return speaker.AnnounceConfig{
		Repeat: a.Repeat, Delay: a.Delay, Refresh: a.Refresh,
		RefreshRepeat: a.RefreshRepeat, Interval: a.Interval,
	}
}
