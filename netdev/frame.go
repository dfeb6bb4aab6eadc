package netdev

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/ethernet"
)

// A MAC is an Ethernet address. The zero MAC stands for "none".
type MAC [6]byte

// IsZero reports whether m is 00:00:00:00:00:00.
func (m MAC) IsZero() bool { return m == MAC{} }

// String returns m as "00:00:5e:00:01:33".
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

var broadcastMAC = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// MulticastMAC returns the Ethernet address of a multicast group: 01:00:5e and
// the low 23 bits for IPv4 (RFC 1112 §6.4), 33:33 and the low 32 bits for IPv6
// (RFC 2464 §7).
func MulticastMAC(group netip.Addr) MAC {
	if group.Is4() {
		a := group.As4()
		return MAC{0x01, 0x00, 0x5e, a[1] & 0x7f, a[2], a[3]}
	}
	a := group.As16()
	return MAC{0x33, 0x33, a[12], a[13], a[14], a[15]}
}

const (
	etherLen = 14
	ipv4Len  = 20
	ipv6Len  = 40
)

// etherHeader returns the 14 bytes in front of a payload.
func etherHeader(destination, source MAC, kind ethernet.EtherType) []byte {
	f := ethernet.Frame{
		Destination: net.HardwareAddr(destination[:]),
		Source:      net.HardwareAddr(source[:]),
		EtherType:   kind,
	}
	b, err := f.MarshalBinary()
	if err != nil {
		panic("netdev: an untagged frame cannot fail to marshal: " + err.Error())
	}
	// MarshalBinary pads to the minimum frame; drivers do that themselves, and
	// padding inside an IP payload would be in the way.
	return b[:etherLen:etherLen]
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

// fold ends a one's complement sum (RFC 1071).
func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s&0xffff + s>>16
	}
	return ^uint16(s)
}
