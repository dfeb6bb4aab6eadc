package frame

import (
	"encoding/binary"
	"net"

	"github.com/mdlayher/ethernet"
)

// Lengths of headers, in bytes.
const (
	EthernetLen = 14
	IPv4Len     = 20 // without options
	IPv6Len     = 40
)

// IP protocol numbers and ICMPv6 types that packets are recognised by.
const (
	ProtocolVRRP   = 112 // RFC 9568 §5.1
	ProtocolAH     = 51  // RFC 4302
	ProtocolICMPv6 = 58
	ICMPv6NS       = 135 // neighbour solicitation, RFC 4861 §4.3
	ICMPv6NA       = 136 // neighbour advertisement, RFC 4861 §4.4
)

const (
	// trafficClass is DSCP CS6, internetwork control.
	trafficClass = 0xc0
	// HopLimit is the TTL or hop limit of every VRRP and neighbour discovery
	// packet on a link: a lower one shows that a router forwarded the packet.
	HopLimit = 255
)

// ethernetHeader returns the 14 bytes in front of a payload.
func ethernetHeader(destination, source MAC, kind ethernet.EtherType) []byte {
	f := ethernet.Frame{
		Destination: net.HardwareAddr(destination[:]),
		Source:      net.HardwareAddr(source[:]),
		EtherType:   kind,
	}
	b, err := f.MarshalBinary()
	if err != nil {
		panic("frame: an untagged frame cannot fail to marshal: " + err.Error())
	}
	// MarshalBinary pads to the minimum frame length. Drivers do that
	// themselves, and the padding would end up inside the IP packet.
	return b[:EthernetLen:EthernetLen]
}

// sum adds b, as big-endian 16-bit words, to a running one's complement sum.
func sum(b []byte, s uint32) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

// fold finishes a one's complement sum (RFC 1071).
func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s&0xffff + s>>16
	}
	return ^uint16(s)
}
