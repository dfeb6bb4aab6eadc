package frame

import (
	"encoding"
	"fmt"
	"net"
	"net/netip"
)

// A MAC is an Ethernet address. The zero MAC means "none".
type MAC [6]byte

var broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// IsZero reports whether m is 00:00:00:00:00:00.
func (m MAC) IsZero() bool { return m == MAC{} }

// String returns m as "00:00:5e:00:01:33".
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

var (
	_ encoding.TextMarshaler   = MAC{}
	_ encoding.TextUnmarshaler = (*MAC)(nil)
)

// MarshalText returns the text of String; the zero MAC becomes empty text.
func (m MAC) MarshalText() ([]byte, error) {
	if m.IsZero() {
		return nil, nil
	}
	return []byte(m.String()), nil
}

// UnmarshalText reads the output of MarshalText.
func (m *MAC) UnmarshalText(b []byte) error {
	*m = MAC{}
	if len(b) == 0 {
		return nil
	}
	hw, err := net.ParseMAC(string(b))
	if err != nil || len(hw) != len(m) {
		return fmt.Errorf("parse MAC %q: want six octets like 00:00:5e:00:01:33", b)
	}
	*m = MAC(hw)
	return nil
}

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
