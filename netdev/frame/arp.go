package frame

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/ethernet"
)

// An ARPOperation is the operation field of an ARP message (RFC 826).
type ARPOperation uint16

// The two forms of a gratuitous ARP.
//
// RFC 9568 §7.3 asks for a request, and every neighbour that knows the address
// updates its entry from one. But another host that holds the address answers
// a request, and its answer makes switches send the virtual MAC to its port.
// Nobody answers a reply.
const (
	ARPRequest ARPOperation = 1
	ARPReply   ARPOperation = 2
)

// arpLen is the length of an ARP message for IPv4 over Ethernet, in bytes.
const arpLen = 28

// GratuitousARP returns a broadcast Ethernet frame, 42 bytes, which announces
// that the IPv4 address vip is at mac (RFC 826, RFC 5227 §3).
//
// A reply carries mac as the target hardware address too: Linux does not
// recognise it as gratuitous otherwise (net/ipv4/arp.c arp_is_garp).
func GratuitousARP(mac MAC, vip netip.Addr, op ARPOperation) ([]byte, error) {
	vip = vip.Unmap()
	if !vip.Is4() {
		return nil, fmt.Errorf("build gratuitous ARP for %v: not an IPv4 address", vip)
	}
	var target MAC
	if op == ARPReply {
		target = mac
	}
	return arpFrame(op, mac, vip, target, vip), nil
}

// WhoHas returns an ARP request from own and source, as a broadcast frame, for
// the MAC of target. Both addresses must be IPv4. The source 0.0.0.0 makes it an
// ARP probe, from which nobody learns anything (RFC 5227 §1.1).
func WhoHas(own MAC, source, target netip.Addr) []byte {
	return arpFrame(ARPRequest, own, source, MAC{}, target)
}

func arpFrame(op ARPOperation, sender MAC, senderIP netip.Addr, target MAC, targetIP netip.Addr) []byte {
	b := ethernetHeader(broadcast, sender, ethernet.EtherTypeARP)
	b = append(b, 0, 1, 8, 0, 6, 4) // Ethernet, IPv4, and the lengths of their addresses
	b = binary.BigEndian.AppendUint16(b, uint16(op))
	b = append(append(b, sender[:]...), senderIP.AsSlice()...)
	return append(append(b, target[:]...), targetIP.AsSlice()...)
}
