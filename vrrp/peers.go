package vrrp

import "net/netip"

// A PeerConfig is a router from which adverts are heeded, and with Config.Unicast
// one to which ours are sent.
type PeerConfig struct {
	Address netip.Addr
	// MinTTL and MaxTTL bound the TTL or hop limit of its adverts when they
	// come by unicast; both zero stand for 255, so that nobody farther away
	// than the wire can forge them (RFC 5082).
	MinTTL, MaxTTL uint8
}

// near reports whether the hop limit of an advert is within the bounds.
func (p *PeerConfig) near(hopLimit uint8) bool {
	if p.MaxTTL == 0 {
		return hopLimit == HopLimit
	}
	return hopLimit >= p.MinTTL && hopLimit <= p.MaxTTL
}

// anyPeer stands for whoever speaks when no peers are configured.
var anyPeer = &PeerConfig{}

// peer returns what is configured of the router with the address, or nil if
// its adverts are not to be heeded.
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

// admitPeer checks where a message comes from and by which way.
func (c *Config) admitPeer(p Packet) Drop {
	if c.Unicast == p.Destination.IsMulticast() || !c.Unicast && p.Destination != c.MulticastGroup() {
		return DropDestination
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
