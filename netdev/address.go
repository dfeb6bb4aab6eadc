package netdev

import (
	"encoding/binary"
	"net/netip"

	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// An Address is one virtual address with its prefix length and properties.
type Address struct {
	Prefix netip.Prefix
	// Label, Scope and Broadcast are for IPv4 only. An empty label means the
	// interface's name, the zero Scope means global, and the zero Broadcast means no
	// broadcast address.
	Label     string     `json:",omitempty"` // at most 15 bytes
	Scope     uint8      `json:",omitempty"` // the kernel's number: 253 is link, 254 is host
	Broadcast netip.Addr `json:",omitzero"`
	// PrefixRoute says whether the kernel adds the route to the subnet.
	PrefixRoute PrefixRoute `json:",omitempty"`
	// Preferred lets the host choose the address as a source by itself. It is for
	// IPv6 only; IPv4 has no such property.
	Preferred bool `json:",omitempty"`
}

// A PrefixRoute says whether the kernel adds the route to the subnet with an address.
type PrefixRoute uint8

// The choices.
const (
	// PrefixRouteAuto adds the route unless one of the parent's covers it.
	PrefixRouteAuto PrefixRoute = iota
	PrefixRouteAlways
	PrefixRouteNever
)

// noPrefixRoute reports whether the kernel must not add the route to the subnet of
// an address. A link-local address on a macvlan has the route by default: an answer
// on that link needs it, and it competes with no other.
func (d *device) noPrefixRoute(a *Address) bool {
	switch a.PrefixRoute {
	case PrefixRouteAlways:
		return false
	case PrefixRouteNever:
		return true
	}
	here := d.spec.virtual() && a.Prefix.Addr().Is6() && a.Prefix.Addr().IsLinkLocalUnicast()
	return covered(a.Prefix, d.onParent) && !here
}

// like reports whether an address has the properties that the spec wants. It ignores
// a prefix route that depends on the parent's subnets, which may have changed since.
func (d *device) like(have *address, a *Address) bool {
	if a.PrefixRoute != PrefixRouteAuto && (have.flags&unix.IFA_F_NOPREFIXROUTE != 0) != d.noPrefixRoute(a) {
		return false
	}
	if a.Prefix.Addr().Is6() {
		return (have.flags&unix.IFA_F_DEPRECATED == 0) == a.Preferred
	}
	label := a.Label
	if label == "" {
		label = d.on()
	}
	return have.label == label && have.scope == a.Scope && have.broadcast == a.Broadcast
}

// on returns the name of the interface that has the addresses.
func (d *device) on() string {
	if d.spec.virtual() {
		return d.spec.Name
	}
	return d.spec.Parent
}

// wanted returns the spec's Address with a prefix, nil if there is none.
func (d *device) wanted(p netip.Prefix) *Address {
	for i := range d.spec.Addresses {
		if a := &d.spec.Addresses[i]; a.Prefix == p {
			return a
		}
	}
	return nil
}

// addRequest adds a virtual address. For IPv6 it disables duplicate address
// detection, because VRRP decides who has the address. An IPv6 address that is not
// preferred is added as deprecated, so that the host never chooses it as a source
// by itself (RFC 6724 §5 rule 3).
func addRequest(index int, a *Address, noPrefixRoute bool) *nl.NetlinkRequest {
	r := addressRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, index, a.Prefix, a.Scope)
	b, flags := r.RawData, uint32(0)
	if noPrefixRoute {
		flags |= unix.IFA_F_NOPREFIXROUTE
	}
	if a.Prefix.Addr().Is6() {
		flags |= unix.IFA_F_NODAD
		preferred := uint32(0)
		if a.Preferred {
			preferred = forever
		}
		b = rtnl.AppendNumbers(b, unix.IFA_CACHEINFO, preferred, forever, 0, 0) // preferred, valid, two stamps
	}
	if a.Label != "" {
		b = rtnl.AppendText(b, unix.IFA_LABEL, a.Label)
	}
	if a.Broadcast.IsValid() {
		b = rtnl.AppendAttribute(b, unix.IFA_BROADCAST, a.Broadcast.AsSlice())
	}
	b = rtnl.AppendNumbers(b, unix.IFA_FLAGS, flags)
	r.RawData = rtnl.AppendAttribute(b, ifaProtocol, []byte{AddressProtocol})
	return r
}

// addressRequest writes its body as bytes: a takeover of a thousand addresses makes
// as many requests, and nl's attributes would cost it some milliseconds.
func addressRequest(kind, flags, index int, p netip.Prefix, scope uint8) *nl.NetlinkRequest {
	family, ip := byte(unix.AF_INET), p.Addr().AsSlice()
	if p.Addr().Is6() {
		family = unix.AF_INET6
	}
	r := nl.NewNetlinkRequest(kind, flags)
	b := append(make([]byte, 0, 112), family, byte(p.Bits()), 0, scope) // struct ifaddrmsg
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = rtnl.AppendAttribute(b, unix.IFA_LOCAL, ip)
	r.RawData = rtnl.AppendAttribute(b, unix.IFA_ADDRESS, ip)
	return r
}
