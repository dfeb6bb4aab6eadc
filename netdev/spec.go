package netdev

import (
	"fmt"
	"net/netip"
	"strings"

	"holdfast/netdev/frame"
	"holdfast/netdev/policy"

	"golang.org/x/sys/unix"
)

// A Spec describes a virtual device as it should be. It can be stored as JSON.
type Spec struct {
	// Name identifies the device. It is the name of the macvlan, 1 to 15 bytes
	// without dots, slashes and spaces. In interface mode it is any unique text.
	Name string
	// Parent is the name of the interface below.
	Parent string
	// MAC is the virtual MAC. The zero MAC means interface mode: there is no
	// macvlan, and the addresses are added to the parent itself.
	MAC frame.MAC
	// Alias is a word for people. It follows the owner in the device's alias.
	Alias string
	// IPv6 enables IPv6 on the macvlan even without an IPv6 address. Otherwise IPv6
	// is disabled there, so that the device never sends any.
	IPv6 bool
	// Addresses are added when the device is claimed.
	Addresses []Address
	// Routes and Rules are in the kernel while the device is claimed or muted.
	Routes []policy.Route `json:",omitempty"`
	Rules  []policy.Rule  `json:",omitempty"`
	// Egress makes packets from the addresses leave by the macvlan, and so with the
	// virtual MAC, while the device is claimed.
	Egress bool `json:",omitempty"`
	// Refuse makes the host drop packets for the addresses and from them, except
	// neighbour discovery. It needs nftables.
	Refuse bool `json:",omitempty"`
	// Owner says that the parent may have the addresses as its own: the virtual
	// router is the address owner (RFC 9568 §1.7). That is no conflict.
	Owner bool `json:"-"`
	// Keep makes Ensure leave a device claimed that a crashed run left up. Otherwise
	// Ensure makes it Bare.
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

// wantsIPv4 reports whether the parent must be kept from answering for our IPv4
// addresses.
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

// A State is the state that a device should be in.
type State uint8

// The states of a device. In interface mode Muted is the same as Claimed, because
// the parent must go on answering for its own addresses.
const (
	Bare    State = iota // down, without addresses
	Claimed              // up, with all addresses
	Muted                // as Claimed, but it answers no ARP and no neighbour solicitations
)

// String returns "bare", "claimed" or "muted".
func (s State) String() string { return [...]string{"bare", "claimed", "muted"}[s] }
