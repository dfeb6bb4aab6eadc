package vrrp

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Limits of what an advert can say.
const (
	// PriorityOwner is the priority of the router that owns the addresses
	// (RFC 9568 §5.2.4). No other priority preempts it.
	PriorityOwner = 255
	// PriorityStop is the priority in the last advert of a MASTER. A BACKUP then
	// takes over after its skew time alone (RFC 9568 §5.2.4).
	PriorityStop = 0

	// MinIntervalV3 and MaxIntervalV3 bound a version 3 interval: 12 bits of
	// centiseconds, zero excluded.
	MinIntervalV3 = 10 * time.Millisecond
	MaxIntervalV3 = 4095 * 10 * time.Millisecond
	// MaxIntervalV2 bounds a version 2 interval: 8 bits of seconds.
	MaxIntervalV2 = 255 * time.Second

	// MaxAddresses is what the 8-bit count in an advert can express.
	MaxAddresses = 255
)

// Checksum is a form of the version 3 checksum over IPv4. It says which one is
// sent; both are accepted.
type Checksum uint8

const (
	// ChecksumPseudo covers the message and the IPv4 pseudo-header, as in
	// keepalived, FRR and Wireshark.
	ChecksumPseudo Checksum = iota
	// ChecksumRFC9568 covers the VRRP message alone (RFC 9568 §5.2.8).
	ChecksumRFC9568
)

// AddressCheck says what happens to an advert whose address list differs from
// ours (an optional check in RFC 9568 §7.1).
type AddressCheck uint8

const (
	// AddressCount accepts the advert and counts the difference. Two directors
	// whose lists differ while a change is rolled out must not both be MASTER.
	AddressCount AddressCheck = iota
	// AddressDrop refuses the advert unless its sender is the owner
	// (RFC 3768 §7.1).
	AddressDrop
)

// Config is the configuration of a virtual router. A running Machine gets
// another one with a Reconfigure event only.
type Config struct {
	Name     string // unique among the director's virtual routers
	Family   Family
	Version  uint8 // 2 (IPv4 only) or 3
	VRID     uint8 // 1..255
	Priority uint8 // 1..255; 255 is the address owner
	// Interval is the time between two adverts of ours: whole seconds in
	// version 2, whole centiseconds in version 3.
	Interval time.Duration
	// Preempt lets this router take mastership from a working MASTER with a lower
	// priority (RFC 9568 §6.1, Preempt_Mode). The owner always preempts.
	Preempt bool
	// PreemptDelay is how long adverts of a lower-priority MASTER must have
	// arrived, without a gap, before it is preempted.
	PreemptDelay time.Duration
	// DownAfter is how many adverts in a row must be missing before the MASTER
	// counts as dead, 1 to 100. 0 means 3, as in RFC 9568 §6.1. All directors
	// should have the same value.
	DownAfter uint8
	// StartDelay is the time from Start, and LinkDelay the time from the end of a
	// LinkFault, to the beginning of the election. Adverts are received meanwhile,
	// but no timer runs. While STP or LACP still blocks a port, a LAN looks as if
	// it had no MASTER.
	StartDelay, LinkDelay time.Duration
	// MinHold is how long a router that ceased to be MASTER does not preempt its
	// successor. A fault that comes and goes then does not move mastership each
	// time. A successor that fails is replaced at once.
	MinHold time.Duration
	// AuthType is the authentication type of version 2 messages, ours and theirs.
	// Package auth checks what the messages prove.
	AuthType uint8
	// Fast lets a BACKUP replace a MASTER whose BFD session goes down without waiting
	// for three adverts to be missing. All members of a group should have it.
	Fast bool
	// Source is the address that adverts come from, one of the interface's own.
	// With the zero Addr the caller chooses one.
	Source netip.Addr
	// Multicast is the group that adverts are sent to, the same on all directors.
	// The zero Addr means the family's group (RFC 9568 §5.1.1.2, §5.1.2.2).
	Multicast netip.Addr
	// Unicast sends adverts to each of Peers instead of the multicast group.
	Unicast bool
	// Peers are the routers whose adverts are accepted. None means every router.
	Peers []PeerConfig
	// Addresses are the virtual addresses in the order in which they are
	// advertised: at most 255, all of Family. Routers without addresses, whose
	// mastership has another effect, accept each other's adverts, although
	// RFC 9568 §5.2.5 forbids adverts without addresses.
	Addresses []netip.Addr
	// Paths are the paths by which adverts go besides the first, which the fields
	// above describe.
	Paths        []PathConfig
	Checksum     Checksum
	AddressCheck AddressCheck
}

// Validate returns every error in c, joined. Each is a *FieldError.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, &FieldError{Key: key, Problem: fmt.Sprintf(format, args...)})
	}
	if c.Version != 2 && c.Version != 3 {
		bad("version", "must be 2 or 3, not %d", c.Version)
	}
	if c.Version == 2 && c.Family == IPv6 {
		bad("version", "IPv6 needs version 3")
	}
	if c.VRID == 0 {
		bad("vrid", "must be 1 to 255")
	}
	if c.Priority == 0 {
		bad("priority", "must be 1 to 255")
	}
	switch {
	case c.Version == 2 && (c.Interval < time.Second || c.Interval > MaxIntervalV2 || c.Interval%time.Second != 0):
		bad("interval", "version 2 needs whole seconds, from 1s to 255s, not %v", c.Interval)
	case c.Version == 3 && (c.Interval < MinIntervalV3 || c.Interval > MaxIntervalV3 || c.Interval%MinIntervalV3 != 0):
		bad("interval", "version 3 needs a multiple of 10ms, from 10ms to 40.95s, not %v", c.Interval)
	}
	if c.PreemptDelay < 0 {
		bad("preempt_delay", "must not be negative")
	}
	if c.PreemptDelay > 0 && !c.Preempt {
		bad("preempt_delay", "has no effect without preempt")
	}
	c.validateHoldoff(bad)
	c.validateSending(bad)
	c.validatePeers(bad)
	c.validatePaths(bad)
	if len(c.Addresses) > MaxAddresses {
		bad("addresses", "an advert carries at most %d addresses, not %d", MaxAddresses, len(c.Addresses))
	}
	seen := make(map[netip.Addr]bool, len(c.Addresses))
	for _, a := range c.Addresses {
		switch {
		case !a.IsValid() || FamilyOf(a) != c.Family:
			bad("addresses", "%v is not an %v address", a, c.Family)
		case seen[a]:
			bad("addresses", "%v is listed twice", a)
		}
		seen[a] = true
	}
	return errors.Join(errs...)
}

// A FieldError is one error in a configuration.
type FieldError struct {
	Key     string // as the configuration file spells it, such as "preempt_delay"
	Problem string // what is wrong, for people
}

// Error returns "key: problem".
func (e *FieldError) Error() string { return e.Key + ": " + e.Problem }
