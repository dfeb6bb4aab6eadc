package vrrp

import (
	"net/netip"
	"slices"
)

// A Drop names the check that a received message failed.
type Drop uint8

// The checks, in the order in which they are made. The order is that of RFC 3768
// §7.1 and RFC 9568 §7.1. DropOwnAddress comes early because no later check is
// meaningful for a message of our own. For unicast, DropHopLimit comes after
// DropPeer, because the limit is the peer's.
const (
	DropNone        Drop = iota // no check failed
	DropHopLimit                // TTL or hop limit below 255: it crossed a router
	DropVersion                 // neither 2 nor 3, 2 over IPv6, or not the configured one
	DropType                    // not an ADVERTISEMENT, nor what Config.Fast adds
	DropLength                  // shorter than its fields and address count say
	DropChecksum                // checksum wrong in every accepted form
	DropOwnAddress              // the source is our own address: a loop, or a duplicate address
	DropOwnPath                 // we sent it ourselves, on another path
	DropVRID                    // another virtual router's VRID or family
	DropCount                   // version 3 without addresses (RFC 9568 §5.2.5), and we have some
	DropDestination             // multicast while we use unicast, the reverse, or another group
	DropPeer                    // the source is not a configured peer
	DropOwner                   // version 2, and we own the addresses (RFC 3768 §7.1)
	DropAuthType                // another version 2 authentication type than ours
	DropAddresses               // another address list than ours, under AddressDrop
	DropInterval                // zero in an advert, or in version 2 another interval than ours
	// Package auth makes these, after all checks above.
	DropAuthMissing // not authenticated
	DropAuthFormat  // a malformed authentication header or trailer
	DropAuthStale   // the time in the trailer is too far from ours
	DropAuthKey     // authenticated with a key that is not configured
	DropAuth        // wrong password, check value or HMAC
	DropReplay      // a sequence number that was used before

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
	DropOwnPath:     "own_path",
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

// String returns the name of the check in metrics and JSON, such as
// "hop_limit", and "" for DropNone.
func (d Drop) String() string {
	if int(d) < NumDrops {
		return dropNames[d]
	}
	return "?"
}

// MarshalText makes drops readable in JSON, as map keys too.
func (d Drop) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// ProtocolError reports whether RFC 6527 counts the check as a protocol error
// of a virtual router.
func (d Drop) ProtocolError() bool {
	return d == DropHopLimit || d == DropVersion || d == DropChecksum
}

// Admit makes the checks that need the configuration, after Decode. It
// returns DropNone or the first check that failed. own is the source address
// of our own messages, or the zero Addr.
//
// An owner refuses version 2 messages (RFC 3768 §7.1), except those of
// another owner. RFC 9568 §7.1 repeats the rule for version 3, but erratum
// 8298 removes it, so that two owners of one address can notice each other.
// The exception in version 2 is for the same reason.
//
// Another interval than ours is an error in version 2 only. A version 3
// BACKUP adopts the MASTER's interval.
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
	if a.Backup && !c.Fast {
		return DropType
	}
	if drop := c.admitPeer(p, a.Backup); drop != DropNone {
		return drop
	}
	switch {
	case a.Version == 2 && c.Priority == PriorityOwner && !a.Backup && a.Priority != PriorityOwner:
		return DropOwner
	case a.Version == 2 && a.AuthType != c.AuthType:
		return DropAuthType
	case c.AddressCheck == AddressDrop && a.Priority != PriorityOwner && !c.SameAddresses(a):
		return DropAddresses
	case a.Version == 2 && a.Interval != c.Interval && !a.Answer:
		return DropInterval
	}
	return DropNone
}

// SameAddresses reports whether a lists the addresses of c, in any order.
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
