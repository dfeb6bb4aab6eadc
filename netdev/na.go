package netdev

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/mdlayher/ethernet"
)

const (
	protocolICMPv6  = 58
	icmpNA          = 136
	naRouter        = 0x80
	naOverride      = 0x20
	optionTargetMAC = 2
	naLen           = 24 + 8 // message with target, then the option
)

var allNodes = netip.MustParseAddr("ff02::1")

// UnsolicitedNA returns an Ethernet frame, 86 bytes, to all nodes of the link
// (ff02::1) saying that vip, an IPv6 address, is at mac: a neighbour
// advertisement from vip, hop limit 255, with the override flag and a target
// link-layer address option (RFC 4861 §4.4, §7.2.6). The router flag must say
// whether the host forwards: a neighbour that sees it cleared drops the sender
// from its default routers (RFC 4861 §7.2.5).
func UnsolicitedNA(mac MAC, vip netip.Addr, router bool) ([]byte, error) {
	vip = vip.WithZone("")
	if !vip.Is6() || vip.Is4In6() {
		return nil, fmt.Errorf("build neighbour advertisement for %v: not an IPv6 address", vip)
	}
	b := etherHeader(MulticastMAC(allNodes), mac, ethernet.EtherTypeIPv6)
	b = binary.BigEndian.AppendUint32(b, 6<<28|trafficClass<<20)
	b = append(b, 0, naLen, protocolICMPv6, hopLimit)
	b = append(append(b, vip.AsSlice()...), allNodes.AsSlice()...)

	flags := byte(naOverride)
	if router {
		flags |= naRouter
	}
	b = append(b, icmpNA, 0, 0, 0, flags, 0, 0, 0)
	b = append(b, vip.AsSlice()...)
	b = append(b, optionTargetMAC, 1) // length in units of 8 bytes
	b = append(b, mac[:]...)

	// The pseudo-header is source, destination, length and protocol
	// (RFC 8200 §8.1).
	addresses := b[etherLen+8 : etherLen+ipv6Len]
	icmp := b[etherLen+ipv6Len:]
	s := sum(addresses, naLen+protocolICMPv6)
	binary.BigEndian.PutUint16(icmp[2:], fold(sum(icmp, s)))
	return b, nil
}
