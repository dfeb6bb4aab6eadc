package vrrp

import (
	"net/netip"
	"slices"
)

// MulticastGroup returns the multicast group that adverts are sent to and
// accepted from.
func (c *Config) MulticastGroup() netip.Addr {
	if c.Multicast.IsValid() {
		return c.Multicast
	}
	return c.Family.MulticastGroup()
}

// linkLocal reports whether adverts must come from a link-local address. Over
// IPv6 they must (RFC 9568 §5.1.2.1), except for unicast from a global source
// address.
func (c *Config) linkLocal() bool {
	return c.Family == IPv6 && !(c.Unicast && c.Source.IsValid() && !c.Source.IsLinkLocalUnicast())
}

func (c *Config) validateSending(bad func(key, format string, args ...any)) {
	switch s := c.Source; {
	case !s.IsValid():
	case FamilyOf(s) != c.Family:
		bad("source", "%v is not an %v address", s, c.Family)
	case s.IsMulticast() || s.IsUnspecified() || s.IsLoopback():
		bad("source", "%v is not the address of an interface", s)
	case slices.Contains(c.Addresses, s):
		bad("source", "%v is a virtual address: adverts come from an address of the director's own", s)
	case c.linkLocal() && !s.IsLinkLocalUnicast():
		bad("source", "%v is not a link-local address, which multicast over IPv6 comes from", s)
	}
	switch g := c.Multicast; {
	case !g.IsValid():
	case FamilyOf(g) != c.Family:
		bad("multicast", "%v is not an %v address", g, c.Family)
	case !g.IsMulticast() || g.IsInterfaceLocalMulticast():
		bad("multicast", "%v is not a multicast group of a wire", g)
	case c.Unicast:
		bad("multicast", "has no effect with unicast")
	}
}
