package vrrp

import (
	"net/netip"
	"slices"
)

// A Drop names the check for which a received message was discarded.
type Drop uint8

// The checks, in the order in which they are made; hop_limit, which for unicast
// depends on the peer, is made after peer then. RFC 3768 §7.1 and RFC 9568
// §7.1 give the order; own_address stands where it does because no later check
// means anything for a message of our own.
const (
	DropNone        Drop = iota // heed the message
	DropHopLimit                // TTL or hop limit below 255: it crossed a router
	DropVersion                 // neither 2 nor 3, 2 over IPv6, or not the configured one
	DropType                    // not an ADVERTISEMENT
	DropLength                  // shorter than its fields and address count say
	DropChecksum                // checksum wrong in every accepted form
	DropOwnAddress              // source is our own address: a loop, or an address used twice
	DropVRID                    // not this virtual router
	DropCount                   // version 3 without addresses (RFC 9568 §5.2.5), and we have some
	DropDestination             // by multicast, and we speak unicast, or the other way round, or to another group
	DropPeer                    // source is none of the configured peers
	DropOwner                   // version 2, and we own the addresses (RFC 3768 §7.1)
	DropAuthType                // version 2 authentication of another type than ours
	DropAddresses               // other addresses than ours, under AddressDrop
	DropInterval                // zero, or in version 2 another one than ours
	// What package auth says of a message that passed all the checks above.
	DropAuthMissing // not authenticated at all
	DropAuthFormat  // a header or trailer that makes no sense
	DropAuthStale   // the time in the trailer is too far from ours
	DropAuthKey     // of a key that is not configured
	DropAuth        // wrong password, check value or HMAC
	DropReplay      // a sequence number that was used already

	// NumDrops is the length of an array with one element per Drop.
	NumDrops = int(iota)
)

var dropNames = [NumDrops]string{
	DropHopLimit:    "hop_limit",
	DropVersion:     "version",
	DropType:        "type",
	DropLength:      "length",
	DropChecksum:    "checksum",
	DropCount:       "count",
	DropOwnAddress:  "own_address",
	DropVRID:        "vrid",
	DropDestination: "destination",
	DropPeer:        "peer",
	DropOwner:       "owner",
	DropAuthType:    "auth_type",
	DropAddresses:   "addresses",
	DropInterval:    "interval",
	DropAuthMissing: "auth_missing",
	DropAuthFormat:  "auth_format",
	DropAuthStale:   "auth_stale",
	DropAuthKey:     "auth_key",
	DropAuth:        "auth",
	DropReplay:      "replay",
}

// String returns the name of the check as a metric label has it, such as
// "hop_limit", and "" for DropNone.
func (d Drop) String() string {
	if int(d) < NumDrops {
		return dropNames[d]
	}
	return "?"
}

// MarshalText makes drops readable in JSON, as map keys too.
func (d Drop) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// ProtocolError reports whether RFC 6527 counts the check among the protocol
// errors of a virtual router.
func (d Drop) ProtocolError() bool {
	return d == DropHopLimit || d == DropVersion || d == DropChecksum
}

// Admit makes the checks that need the configuration, after Decode has made
// the others, and returns DropNone or the first check that failed. own is the
// address that our own messages come from; the zero Addr if there is none.
//
// An owner discards version 2 messages, as RFC 3768 §7.1 wants. RFC 9568 §7.1
// took that sentence over and erratum 8298 struck it out, so that two owners of
// one address can find out about each other; for the same reason messages of
// another owner pass in version 2 too.
//
// An interval that differs from ours is a reason in version 2 alone: in
// version 3 a BACKUP learns it.
func (c *Config) Admit(p Packet, own netip.Addr, a *Advert) Drop {
	switch {
	case a.Version != c.Version:
		return DropVersion
	case p.Source == own:
		return DropOwnAddress
	case a.VRID != c.VRID || FamilyOf(p.Source) != c.Family:
		return DropVRID
	}
	if a.Version == 3 && len(a.Addresses) == 0 && len(c.Addresses) > 0 {
		return DropCount
	}
	if drop := c.admitPeer(p); drop != DropNone {
		return drop
	}
	switch {
	case a.Version == 2 && c.Priority == PriorityOwner && a.Priority != PriorityOwner:
		return DropOwner
	case a.Version == 2 && a.AuthType != c.AuthType:
		return DropAuthType
	case c.AddressCheck == AddressDrop && a.Priority != PriorityOwner && !c.SameAddresses(a):
		return DropAddresses
	case a.Version == 2 && a.Interval != c.Interval:
		return DropInterval
	}
	return DropNone
}

// SameAddresses reports whether a lists the addresses of c, in any order. Use
// it to count and show differences under AddressCount.
func (c *Config) SameAddresses(a *Advert) bool {
	if slices.Equal(c.Addresses, a.Addresses) {
		return true
	}
	if len(c.Addresses) != len(a.Addresses) {
		return false
	}
	// No address of c is listed twice, so equal lengths leave no room for more.
	for _, addr := range c.Addresses {
		if !slices.Contains(a.Addresses, addr) {
			return false
		}
	}
	return true
}
