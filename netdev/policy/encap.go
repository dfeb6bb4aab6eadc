package policy

import (
	"encoding/binary"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// An Encap says how packets that take a route are encapsulated. The zero Encap means
// not at all.
type Encap struct {
	Type string // mpls, ip, ip6 or seg6; "": none
	// mpls: the labels, outermost first, and the TTL, 0 for the packet's.
	Labels []uint32 `json:",omitempty"`
	TTL    uint8    // also for ip and ip6, where 0 means the kernel's
	// ip, ip6: for a tunnel device with external metadata.
	ID                  uint64
	Source, Destination netip.Addr
	TOS                 uint8
	// seg6: encap, inline or l2encap, and the segments in the order of the path.
	Mode     string       `json:",omitempty"`
	Segments []netip.Addr `json:",omitempty"`
}

// Seg6Modes are the values of Encap.Mode, in the kernel's order
// (include/uapi/linux/seg6_iptunnel.h).
var Seg6Modes = []string{"inline", "encap", "l2encap"}

// Attributes of encapsulations (include/uapi/linux/lwtunnel.h, mpls_iptunnel.h,
// seg6_iptunnel.h).
const (
	encapMPLS  = 1
	encapIP    = 2
	encapIP6   = 4
	encapSeg6  = 5
	mplsDst    = 1
	mplsTTL    = 2
	tunnelID   = 1
	tunnelDst  = 2
	tunnelSrc  = 3
	tunnelTTL  = 4 // hop limit in IPv6; there 5 is the traffic class
	tunnelTOS  = 5
	seg6Tunnel = 1
)

// attributes returns RTA_ENCAP_TYPE and RTA_ENCAP, or nil.
func (e *Encap) attributes() []*nl.RtAttr {
	body := nl.NewRtAttr(unix.RTA_ENCAP|unix.NLA_F_NESTED, nil)
	var kind uint16
	switch e.Type {
	case "mpls":
		kind = encapMPLS
		body.AddRtAttr(mplsDst, labelStack(e.Labels))
		if e.TTL != 0 {
			body.AddRtAttr(mplsTTL, []byte{e.TTL})
		}
	case "ip", "ip6":
		kind = encapIP
		if e.Type == "ip6" {
			kind = encapIP6
		}
		e.tunnel(body)
	case "seg6":
		kind = encapSeg6
		body.AddRtAttr(seg6Tunnel, e.segmentHeader())
	default:
		return nil
	}
	return []*nl.RtAttr{nl.NewRtAttr(unix.RTA_ENCAP_TYPE, nl.Uint16Attr(kind)), body}
}

func (e *Encap) tunnel(body *nl.RtAttr) {
	if e.ID != 0 {
		body.AddRtAttr(tunnelID, binary.BigEndian.AppendUint64(nil, e.ID))
	}
	if e.Destination.IsValid() {
		body.AddRtAttr(tunnelDst, e.Destination.AsSlice())
	}
	if e.Source.IsValid() {
		body.AddRtAttr(tunnelSrc, e.Source.AsSlice())
	}
	if e.TTL != 0 {
		body.AddRtAttr(tunnelTTL, []byte{e.TTL})
	}
	if e.TOS != 0 {
		body.AddRtAttr(tunnelTOS, []byte{e.TOS})
	}
}

// labelStack returns MPLS labels in wire format (RFC 3032 §2.1). The last is marked as
// the bottom of the stack.
func labelStack(labels []uint32) []byte {
	var out []byte
	for i, label := range labels {
		entry := label << 12
		if i == len(labels)-1 {
			entry |= 1 << 8
		}
		out = binary.BigEndian.AppendUint32(out, entry)
	}
	return out
}

// segmentHeader returns struct seg6_iptunnel_encap: the mode and a segment routing
// header (RFC 8754 §2), which lists the segments from last to first. In inline mode
// the first slot stays free for the packet's own destination.
func (e *Encap) segmentHeader() []byte {
	segments := make([]netip.Addr, 0, len(e.Segments)+1)
	if e.Mode == Seg6Modes[0] {
		segments = append(segments, netip.IPv6Unspecified())
	}
	for i := len(e.Segments) - 1; i >= 0; i-- {
		segments = append(segments, e.Segments[i])
	}
	last := uint8(len(segments) - 1)
	out := nl.Uint32Attr(uint32(number(Seg6Modes, e.Mode, 1)))
	out = append(out, 0, uint8(2*len(segments)), 4, last, last, 0, 0, 0)
	for _, s := range segments {
		out = append(out, s.AsSlice()...)
	}
	return out
}
