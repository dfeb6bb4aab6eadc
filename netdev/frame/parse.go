package frame

import (
	"encoding/binary"
	"net/netip"
)

// A Packet is a received VRRP message with what its IP header says.
type Packet struct {
	Source      netip.Addr // without zone
	Destination netip.Addr
	HopLimit    uint8  // TTL or hop limit
	Payload     []byte // from the VRRP header on
	// Datagram is the whole IP packet if an authentication header precedes
	// Payload, and nil otherwise.
	Datagram []byte
}

// ParseIPv4 reads an IPv4 packet of protocol 112, beginning with its IP header.
// It reports false if the header is malformed.
func ParseIPv4(b []byte) (Packet, bool) { return parseIPv4(b, ProtocolVRRP) }

// ahFixedLen is the length of an authentication header up to the integrity
// check value (RFC 4302 §2).
const ahFixedLen = 12

// ParseIPv4AH reads an IPv4 packet with an IP authentication header (RFC 4302)
// in front of a VRRP message. It does not check the authentication.
func ParseIPv4AH(b []byte) (Packet, bool) {
	p, ok := parseIPv4(b, ProtocolAH)
	if !ok || len(p.Payload) < ahFixedLen || p.Payload[0] != ProtocolVRRP {
		return Packet{}, false
	}
	n := (int(p.Payload[1]) + 2) * 4 // the field counts words, less two
	if n < ahFixedLen || n > len(p.Payload) {
		return Packet{}, false
	}
	p.Payload = p.Payload[n:]
	p.Datagram = b[:binary.BigEndian.Uint16(b[2:])]
	return p, true
}

func parseIPv4(b []byte, protocol byte) (Packet, bool) {
	if len(b) < IPv4Len || b[0]>>4 != 4 || b[9] != protocol {
		return Packet{}, false
	}
	header, total := int(b[0]&0xf)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < IPv4Len || total < header || total > len(b) {
		return Packet{}, false
	}
	return Packet{
		Source:      netip.AddrFrom4([4]byte(b[12:16])),
		Destination: netip.AddrFrom4([4]byte(b[16:20])),
		HopLimit:    b[8],
		Payload:     b[header:total:total],
	}, true
}

// ParseFrame reads an Ethernet frame that carries an advert of one family, and
// returns the packet and the Ethernet source. An IPv4 advert may have an
// authentication header.
func ParseFrame(b []byte, ipv6 bool) (Packet, MAC, bool) {
	if len(b) < EthernetLen {
		return Packet{}, MAC{}, false
	}
	p, ok := parseIP(b[EthernetLen:], ipv6)
	return p, MAC(b[6:12]), ok
}

func parseIP(b []byte, ipv6 bool) (Packet, bool) {
	if ipv6 {
		if len(b) < IPv6Len || b[0]>>4 != 6 || b[6] != ProtocolVRRP {
			return Packet{}, false
		}
		return Packet{
			Source:      netip.AddrFrom16([16]byte(b[8:24])),
			Destination: netip.AddrFrom16([16]byte(b[24:40])),
			HopLimit:    b[7],
			Payload:     b[IPv6Len:],
		}, true
	}
	if p, ok := ParseIPv4(b); ok {
		return p, true
	}
	return ParseIPv4AH(b)
}
