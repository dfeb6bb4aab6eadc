package netdev

import (
	"fmt"
	"net/netip"
	"strings"

	"holdfast/netdev/frame"
	"holdfast/netdev/policy"

	"golang.org/x/sys/unix"
)

// A Spec is a virtual device as it should be. It can be stored as JSON.
type Spec struct {
	// Name is the name of the macvlan, 1 to 15 bytes without dots, slashes or
	// spaces; in interface mode any unique text. It identifies the device.
	Name string
	// Parent is the name of the interface below.
	Parent string
	// MAC is the virtual MAC. The zero MAC is interface mode: there is no
	// macvlan, and the addresses are put on the parent itself.
	MAC frame.MAC
	// Alias is a word for people in the device's alias, after the owner's.
	Alias string
	// IPv6 keeps IPv6 enabled on the macvlan, even with no IPv6 address. With
	// neither it is disabled there, so that the device never speaks it.
	IPv6 bool
	// Addresses are put on when the device is claimed.
	Addresses []Address
	// Routes and Rules are there while the device is claimed or quiet.
	Routes []policy.Route `json:",omitempty"`
	Rules  []policy.Rule  `json:",omitempty"`
	// Egress has what the addresses send leave by the macvlan, and so with the
	// virtual MAC, while the device is claimed.
	Egress bool `json:",omitempty"`
	// Refuse has the host take no packets for the addresses, and send none from
	// them, but for neighbour discovery. It needs nftables.
	Refuse bool `json:",omitempty"`
	// Owner says that the parent may have the addresses as its own: the virtual
	// router is the address owner (RFC 9568 §1.7). That is no conflict.
	Owner bool `json:"-"`
	// Keep leaves a device that Ensure finds up as it is, as claimed.
	// Otherwise what a crashed run left is made Bare.
	Keep bool `json:"-"`
}

func (s *Spec) virtual() bool { return !s.MAC.IsZero() }

// wantsIPv6 reports whether IPv6 must work on the macvlan.
func (s *Spec) wantsIPv6() bool {
	for _, a := range s.Addresses {
		if a.Prefix.Addr().Is6() {
			return true
		}
	}
	return s.IPv6
}

// wantsIPv4 reports whether the parent must be kept from speaking for our
// IPv4 addresses.
func (s *Spec) wantsIPv4() bool {
	for _, a := range s.Addresses {
		if a.Prefix.Addr().Is4() {
			return true
		}
	}
	return false
}

func (s *Spec) validate() error {
	switch {
	case s.Name == "":
		return fmt.Errorf("device above %q has no name", s.Parent)
	case s.Parent == "":
		return fmt.Errorf("device %s: no parent interface", s.Name)
	case s.virtual() && (len(s.Name) >= unix.IFNAMSIZ || strings.ContainsAny(s.Name, "./ \t\n:")):
		return fmt.Errorf("device name %q: want at most %d bytes without dots, slashes, colons and spaces", s.Name, unix.IFNAMSIZ-1)
	case s.Egress && !s.virtual():
		return fmt.Errorf("device %s: egress needs a virtual MAC", s.Name)
	case s.MAC[0]&1 != 0:
		return fmt.Errorf("device %s: %v is a multicast MAC", s.Name, s.MAC)
	}
	seen := map[netip.Addr]bool{}
	for _, a := range s.Addresses {
		if !a.Prefix.IsValid() || a.Prefix.Addr().Is4In6() || a.Prefix.Addr().Zone() != "" {
			return fmt.Errorf("device %s: address %v is not valid", s.Name, a.Prefix)
		}
		if seen[a.Prefix.Addr()] {
			return fmt.Errorf("device %s: address %v is given twice", s.Name, a.Prefix.Addr())
		}
		seen[a.Prefix.Addr()] = true
	}
	return nil
}

// A State is what a device is supposed to be.
type State uint8

// The states of a device. In interface mode Muted is as Claimed: the parent's
// own addresses must go on being answered for.
const (
	Bare    State = iota // down, without addresses
	Claimed              // up, with all addresses
	Muted                // as Claimed, but answers no ARP and no neighbour solicitation
)

// String returns "bare", "claimed" or "muted".
func (s State) String() string { return [...]string{"bare", "claimed", "muted"}[s] }
