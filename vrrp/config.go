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
	// (RFC 9568 §5.2.4). It never yields.
	PriorityOwner = 255
	// PriorityStop is advertised by a MASTER that stops being one, so that a
	// BACKUP takes over after its skew time alone (RFC 9568 §5.2.4).
	PriorityStop = 0

	// MinIntervalV3 and MaxIntervalV3 bound a version 3 interval: 12 bits of
	// centiseconds, zero excluded.
	MinIntervalV3 = 10 * time.Millisecond
	MaxIntervalV3 = 4095 * 10 * time.Millisecond
	// MaxIntervalV2 bounds a version 2 interval: 8 bits of seconds.
	MaxIntervalV2 = 255 * time.Second

	// MaxAddresses is the largest count the advert's 8-bit field can carry.
	MaxAddresses = 255
)

// Checksum says which form of the version 3 checksum over IPv4 is sent. Both
// forms are accepted whatever is sent.
type Checksum uint8

const (
	// ChecksumPseudo covers the IPv4 pseudo-header too: what keepalived, FRR
	// and Wireshark do.
	ChecksumPseudo Checksum = iota
	// ChecksumRFC9568 covers the VRRP message alone (RFC 9568 §5.2.8).
	ChecksumRFC9568
)

// AddressCheck says what becomes of an advert whose address list differs from
// ours (the optional check of RFC 9568 §7.1).
type AddressCheck uint8

const (
	// AddressCount counts the difference and shows it, and heeds the advert:
	// two directors whose lists differ during a change must not both be MASTER.
	AddressCount AddressCheck = iota
	// AddressDrop drops the advert unless its sender is the owner
	// (RFC 3768 §7.1).
	AddressDrop
)

// Config is what a virtual router is told about itself. It is a value: a
// running Machine changes it only through a Reconfigure event.
type Config struct {
	Name     string // unique among the director's virtual routers
	Family   Family
	Version  uint8 // 2 (IPv4 only) or 3
	VRID     uint8 // 1..255
	Priority uint8 // 1..255; 255 is the address owner
	// Interval is the time between two adverts of ours: whole seconds in
	// version 2, whole centiseconds in version 3.
	Interval time.Duration
	// Preempt lets a higher priority take mastership from a lower one that
	// works (RFC 9568 §6.1, Preempt_Mode). The owner always preempts.
	Preempt bool
	// PreemptDelay is how long the lower MASTER must have been heard, without
	// a pause, before it is preempted.
	PreemptDelay time.Duration
	// DownAfter is how many adverts in a row must be missing until the MASTER
	// counts as dead, 1 to 100; 0 means 3, as RFC 9568 §6.1 has it. It should
	// be the same on all directors.
	DownAfter uint8
	// StartDelay is how long after Start, and LinkDelay how long after the end
	// of a LinkFault, the election begins: adverts are heard meanwhile, but no
	// timer runs. A port that STP or LACP has not opened yet looks like a LAN
	// without a MASTER.
	StartDelay, LinkDelay time.Duration
	// MinHold is how long a router that ceased to be MASTER does not preempt
	// its successor, so that a fault that comes and goes does not move
	// mastership each time. A successor that fails is replaced at once.
	MinHold time.Duration
	// AuthType is the authentication type that version 2 messages must have.
	// Whether what they prove is right is for package auth to say.
	AuthType uint8
	// Source is the address that adverts come from, one of the interface's own;
	// the zero Addr leaves the choice to who knows the interface.
	Source netip.Addr
	// Multicast is the group that adverts are sent to, the same on all
	// directors; the zero Addr is the family's (RFC 9568 §5.1.1.2, §5.1.2.2).
	Multicast netip.Addr
	// Unicast sends adverts to each of Peers instead of the multicast group.
	Unicast bool
	// Peers are the routers from which adverts are heeded; none means all.
	Peers []PeerConfig
	// Addresses are advertised in this order, at most 255 of them, all of
	// Family. None is for routers whose mastership has another effect than
	// addresses: they heed each other, against RFC 9568 §5.2.5.
	Addresses    []netip.Addr
	Checksum     Checksum
	AddressCheck AddressCheck
}

// Validate returns every way in which c cannot work, joined.
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
		bad("interval", "version 2 takes whole seconds from 1s to 255s, not %v", c.Interval)
	case c.Version == 3 && (c.Interval < MinIntervalV3 || c.Interval > MaxIntervalV3 || c.Interval%MinIntervalV3 != 0):
		bad("interval", "version 3 takes whole centiseconds from 10ms to 40.95s, not %v", c.Interval)
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

// A FieldError is one fault of a configuration, with the key that it is about
// as the configuration file spells it.
type FieldError struct {
	Key     string
	Problem string
}

// Error returns "key: problem".
func (e *FieldError) Error() string { return e.Key + ": " + e.Problem }
