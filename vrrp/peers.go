package vrrp

import "net/netip"

// A PeerConfig is a router whose adverts are accepted. With Config.Unicast,
// our adverts are sent to it.
type PeerConfig struct {
	Address netip.Addr
	// MinTTL and MaxTTL bound the TTL or hop limit of its unicast adverts. Both
	// zero mean exactly 255: then a host beyond a router cannot forge adverts
	// (RFC 5082).
	MinTTL, MaxTTL uint8
}

// near reports whether a hop limit is within the bounds.
func (p *PeerConfig) near(hopLimit uint8) bool {
	if p.MaxTTL == 0 {
		return hopLimit == HopLimit
	}
	return hopLimit >= p.MinTTL && hopLimit <= p.MaxTTL
}

// anyPeer is every router, when no peers are configured.
var anyPeer = &PeerConfig{}

// peer returns the configured peer with the address, or nil if its adverts
// are refused.
func (c *Config) peer(address netip.Addr) *PeerConfig {
	if len(c.Peers) == 0 && !c.Unicast {
		return anyPeer
	}
	for i := range c.Peers {
		if c.Peers[i].Address == address {
			return &c.Peers[i]
		}
	}
	return nil
}

// admitPeer checks the source, the destination and the hop limit of a message. A
// BACKUP ADVERTISEMENT to one router is unicast in any case.
func (c *Config) admitPeer(p Packet, backup bool) Drop {
	switch multicast := p.Destination.IsMulticast(); {
	case c.Unicast && multicast, !c.Unicast && multicast && p.Destination != c.MulticastGroup():
		return DropDestination
	case !c.Unicast && !multicast && !backup:
		return DropDestination
	case !multicast && !c.Unicast && p.HopLimit != HopLimit:
		return DropHopLimit
	}
	peer := c.peer(p.Source)
	switch {
	case peer == nil:
		return DropPeer
	case c.Unicast && !peer.near(p.HopLimit):
		return DropHopLimit
	}
	return DropNone
}

func (c *Config) validatePeers(bad func(key, format string, args ...any)) {
	if c.Unicast && len(c.Peers) == 0 {
		bad("peers", "must name the other directors, for unicast adverts would go to nobody")
	}
	seen := make(map[netip.Addr]bool, len(c.Peers))
	for _, p := range c.Peers {
		switch {
		case !p.Address.IsValid() || FamilyOf(p.Address) != c.Family:
			bad("peers", "%v is not an %v address", p.Address, c.Family)
		case p.Address.IsMulticast() || p.Address.IsUnspecified():
			bad("peers", "%v is not the address of a router", p.Address)
		case c.linkLocal() && !p.Address.IsLinkLocalUnicast():
			bad("peers", "%v is not a link-local address, which adverts over IPv6 come from", p.Address)
		case c.Family == IPv6 && !c.linkLocal() && p.Address.IsLinkLocalUnicast():
			bad("peers", "%v is a link-local address, and adverts come from %v", p.Address, c.Source)
		case seen[p.Address]:
			bad("peers", "%v is listed twice", p.Address)
		case p.MinTTL > p.MaxTTL:
			bad("peers", "the TTL of %v cannot be at least %d and at most %d", p.Address, p.MinTTL, p.MaxTTL)
		case p.MaxTTL != 0 && p.MinTTL != HopLimit && !c.Unicast:
			bad("peers", "limits of the TTL of %v have no meaning without unicast: multicast has 255", p.Address)
		}
		seen[p.Address] = true
	}
}
