package netdev

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/ethernet"
)

// An ARPOperation says in which form an address is announced.
type ARPOperation uint16

// The two forms of a gratuitous ARP. A request is what RFC 9568 §7.3 names, and
// every neighbour that knows the address updates its entry. A host that holds
// the address too answers a request, and thereby draws the virtual MAC to its
// own switch port; a reply is not answered by anybody.
const (
	ARPRequest ARPOperation = 1
	ARPReply   ARPOperation = 2
)

// GratuitousARP returns a broadcast Ethernet frame, 42 bytes, saying that vip,
// an IPv4 address, is at mac (RFC 826, RFC 5227 §3). A reply carries mac as the
// target's too: otherwise Linux does not recognise it as gratuitous
// (net/ipv4/arp.c arp_is_garp).
func GratuitousARP(mac MAC, vip netip.Addr, op ARPOperation) ([]byte, error) {
	vip = vip.Unmap()
	if !vip.Is4() {
		return nil, fmt.Errorf("build gratuitous ARP for %v: not an IPv4 address", vip)
	}
	var target MAC
	if op == ARPReply {
		target = mac
	}
	b := etherHeader(broadcastMAC, mac, ethernet.EtherTypeARP)
	b = append(b, 0, 1, 8, 0, 6, 4) // Ethernet, IPv4, their address lengths
	b = binary.BigEndian.AppendUint16(b, uint16(op))
	b = append(append(b, mac[:]...), vip.AsSlice()...)
	return append(append(b, target[:]...), vip.AsSlice()...), nil
}
