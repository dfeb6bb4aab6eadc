package conf

import (
	"net/netip"

	"holdfast/vrrp"
)

// An AdvertMAC is the Ethernet source of adverts.
type AdvertMAC uint8

// The choices.
const (
	AdvertVirtual   AdvertMAC = iota // the MAC address of the virtual addresses (RFC 9568 §7.3)
	AdvertInterface                  // the MAC address of the interface
)

var advertMAC = choice(
	option[AdvertMAC]{"virtual", AdvertVirtual},
	option[AdvertMAC]{"interface", AdvertInterface},
)

// visitSending visits the keys about sending adverts.
func (in *Instance) visitSending(t *table) {
	field(t, "source", &in.Source, optional(peerAddress), netip.Addr{})
	field(t, "multicast", &in.Multicast, optional(peerAddress), netip.Addr{})
	field(t, "ttl", &in.TTL, ttl, vrrp.HopLimit)
	field(t, "advert_mac", &in.AdvertMAC, advertMAC, AdvertVirtual)
	field(t, "track_link", &in.TrackLink, boolean, true)
}

// resolveSending sets the default group, and refuses keys without effect.
func (in *Instance) resolveSending(t *table) {
	if !in.Unicast && !in.Multicast.IsValid() {
		in.Multicast = in.Family.MulticastGroup()
	}
	if in.TTL != vrrp.HopLimit && !in.Unicast {
		t.failf("ttl", "has no effect without unicast: multicast adverts always have %d", vrrp.HopLimit)
	}
	if in.AdvertMAC == AdvertInterface {
		switch {
		case in.Unicast:
			t.failf("advert_mac", "has no effect with unicast: such adverts always have the interface's own MAC address")
		case in.MAC.Mode == MACInterface:
			t.failf("advert_mac", `has no effect with mac = "interface"`)
		}
	}
	for _, p := range in.Excluded {
		if in.Source.IsValid() && p.Addr() == in.Source && t.ok("source") {
			t.failf("source", "%v is a virtual address: adverts need an address of the director itself", in.Source)
		}
	}
}
