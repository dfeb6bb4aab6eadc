package vrrp

import (
	"fmt"
	"net/netip"
)

// Protocol is the IP protocol number of VRRP (RFC 9568 §5.1.1.4).
const Protocol = 112

// HopLimit is the TTL (IPv4) or hop limit (IPv6) of adverts. A multicast advert
// that arrives with another value has crossed a router and is refused (RFC 9568
// §5.1.1.3).
const HopLimit = 255

// A Family is an IP version. A virtual router has exactly one.
type Family uint8

// The two families. The values are the IP version numbers.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// String returns "ipv4" or "ipv6".
func (f Family) String() string { return fmt.Sprintf("ipv%d", uint8(f)) }

// FamilyOf returns the family of addr.
func FamilyOf(addr netip.Addr) Family {
	if addr.Is4() {
		return IPv4
	}
	return IPv6
}

var (
	group4 = netip.AddrFrom4([4]byte{224, 0, 0, 18})
	group6 = netip.MustParseAddr("ff02::12")
)

// MulticastGroup returns the group of adverts, 224.0.0.18 or ff02::12 (RFC
// 9568 §5.1.1.2, §5.1.2.2).
func (f Family) MulticastGroup() netip.Addr {
	if f == IPv4 {
		return group4
	}
	return group6
}

// VirtualMAC returns the virtual router MAC address, 00:00:5e:00:01:VRID for
// IPv4 and 00:00:5e:00:02:VRID for IPv6 (RFC 9568 §7.3).
func VirtualMAC(f Family, vrid uint8) [6]byte {
	kind := byte(1)
	if f == IPv6 {
		kind = 2
	}
	return [6]byte{0x00, 0x00, 0x5e, 0x00, kind, vrid}
}
