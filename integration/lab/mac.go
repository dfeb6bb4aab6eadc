package lab

import (
	"fmt"
	"net"
)

// A MAC is an Ethernet address.
type MAC [6]byte

// VirtualMAC is the address of an IPv4 virtual router (RFC 9568 section 7.3).
func VirtualMAC(vrid byte) MAC { return MAC{0, 0, 0x5e, 0, 1, vrid} }

// VirtualMAC6 is the address of an IPv6 virtual router.
func VirtualMAC6(vrid byte) MAC { return MAC{0, 0, 0x5e, 0, 2, vrid} }

func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

func macOf(bytes []byte) (MAC, error) {
	var m MAC
	if copy(m[:], bytes) != len(m) || len(bytes) != len(m) {
		return m, fmt.Errorf("%d bytes are no MAC address", len(bytes))
	}
	return m, nil
}
