package netdev

import (
	"encoding/binary"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// An Address is one virtual address with its prefix length, and how it is put
// on.
type Address struct {
	Prefix netip.Prefix
	// Label, Scope and Broadcast are for IPv4 alone. Without a label it is the
	// interface's name; the zero Scope is global; without Broadcast there is
	// none.
	Label     string     `json:",omitempty"` // at most 15 bytes
	Scope     uint8      `json:",omitempty"` // as the kernel counts: 253 is link, 254 host
	Broadcast netip.Addr `json:",omitzero"`
	// PrefixRoute says whether the kernel makes the route to the subnet.
	PrefixRoute PrefixRoute `json:",omitempty"`
	// Preferred lets the host pick the address as a source by itself. It is
	// for IPv6 alone: for IPv4 the kernel knows nothing of the kind.
	Preferred bool `json:",omitempty"`
}

// A PrefixRoute says whether an address brings the route to its subnet along.
type PrefixRoute uint8

// The choices.
const (
	// PrefixRouteAuto makes it unless the parent has one that covers it.
	PrefixRouteAuto PrefixRoute = iota
	PrefixRouteAlways
	PrefixRouteNever
)

// noPrefixRoute reports whether the kernel is to be kept from making the route
// to the subnet of an address. A link-local one on a macvlan has it unless the
// configuration says otherwise: what was asked on one link is answered on the
// same, which takes a route there, and competes with none.
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

// like reports whether an address is on as the spec wants it. What the parent's
// subnets decide is not asked for: they may have changed since.
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

// on is the name of the interface that the addresses are on.
func (d *device) on() string {
	if d.spec.virtual() {
		return d.spec.Name
	}
	return d.spec.Parent
}

// wanted returns what the spec says of an address, nil if nothing.
func (d *device) wanted(p netip.Prefix) *Address {
	for i := range d.spec.Addresses {
		if a := &d.spec.Addresses[i]; a.Prefix == p {
			return a
		}
	}
	return nil
}

// addRequest puts a virtual address on. For IPv6 there is no duplicate address
// detection, since the protocol decides who has it; and unless it is preferred
// it is deprecated, so that the director never picks it as a source by itself
// (RFC 6724 §5 rule 3).
func addRequest(index int, a *Address, noPrefixRoute bool) *nl.NetlinkRequest {
	r := addressRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, index, a.Prefix, a.Scope)
	flags := uint32(0)
	if noPrefixRoute {
		flags |= unix.IFA_F_NOPREFIXROUTE
	}
	if a.Prefix.Addr().Is6() {
		flags |= unix.IFA_F_NODAD
		preferred := uint32(0)
		if a.Preferred {
			preferred = forever
		}
		info := make([]byte, 0, 16)
		for _, v := range [4]uint32{preferred, forever, 0, 0} { // preferred, valid, two stamps
			info = binary.NativeEndian.AppendUint32(info, v)
		}
		r.AddData(nl.NewRtAttr(unix.IFA_CACHEINFO, info))
	}
	if a.Label != "" {
		r.AddData(nl.NewRtAttr(unix.IFA_LABEL, nl.ZeroTerminated(a.Label)))
	}
	if a.Broadcast.IsValid() {
		r.AddData(nl.NewRtAttr(unix.IFA_BROADCAST, a.Broadcast.AsSlice()))
	}
	r.AddData(nl.NewRtAttr(unix.IFA_FLAGS, nl.Uint32Attr(flags)))
	r.AddData(nl.NewRtAttr(ifaProtocol, []byte{AddressProtocol}))
	return r
}
