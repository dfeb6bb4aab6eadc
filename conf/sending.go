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
	visitSource(t, &in.Source, &in.Multicast, &in.TTL)
	field(t, "advert_mac", &in.AdvertMAC, advertMAC, AdvertVirtual)
	field(t, "track_link", &in.TrackLink, boolean, true)
}

// visitSource visits the keys that an instance and a path have about sending adverts.
func visitSource(t *table, source, multicast *netip.Addr, hops *uint8) {
	field(t, "source", source, optional(peerAddress), netip.Addr{})
	field(t, "multicast", multicast, optional(peerAddress), netip.Addr{})
	field(t, "ttl", hops, ttl, vrrp.HopLimit)
}

func resolveTTL(t *table, hops uint8, unicast bool) {
	if hops != vrrp.HopLimit && !unicast {
		t.failf("ttl", "has no effect without unicast: multicast adverts always have %d", vrrp.HopLimit)
	}
}

// resolveSending sets the default group, and refuses keys without effect.
func (in *Instance) resolveSending(t *table) {
	if !in.Unicast && !in.Multicast.IsValid() {
		in.Multicast = in.Family.MulticastGroup()
	}
	resolveTTL(t, in.TTL, in.Unicast)
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
