package vrrp

import "net/netip"

// A KnownPeer is a router from which adverts are heeded.
type KnownPeer struct {
	Address netip.Addr
}

// anyPeer stands for whoever speaks when no peers are configured.
var anyPeer = &KnownPeer{}

// peer returns what is configured of the router with the address, or nil if
// its adverts are not to be heeded.
func (c *Config) peer(address netip.Addr) *KnownPeer {
	if len(c.Peers) == 0 {
		return anyPeer
	}
	for i := range c.Peers {
		if c.Peers[i].Address == address {
			return &c.Peers[i]
		}
	}
	return nil
}

func (c *Config) validatePeers(bad func(key, format string, args ...any)) {
	seen := make(map[netip.Addr]bool, len(c.Peers))
	for _, p := range c.Peers {
		switch {
		case !p.Address.IsValid() || FamilyOf(p.Address) != c.Family:
			bad("peers", "%v is not an %v address", p.Address, c.Family)
		case p.Address.IsMulticast() || p.Address.IsUnspecified():
			bad("peers", "%v is not the address of a router", p.Address)
		case seen[p.Address]:
			bad("peers", "%v is listed twice", p.Address)
		}
		seen[p.Address] = true
	}
}
