package frame

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
)

var allNodes = netip.MustParseAddr("ff02::1")

// UnsolicitedNA returns an Ethernet frame, 86 bytes, which tells all nodes of
// the link (ff02::1) that the IPv6 address vip is at mac: a neighbour
// advertisement from vip with hop limit 255, the override flag and a target
// link-layer address option (RFC 4861 §4.4, §7.2.6).
//
// router must say whether this host forwards. A neighbour that receives a
// cleared router flag drops the sender from its default routers
// (RFC 4861 §7.2.5).
func UnsolicitedNA(mac MAC, vip netip.Addr, router bool) ([]byte, error) {
	vip = vip.WithZone("")
	if !vip.Is6() || vip.Is4In6() {
		return nil, fmt.Errorf("build neighbour advertisement for %v: not an IPv6 address", vip)
	}
	return neighbourFrame(mac, vip, allNodes, trafficClass, &ndp.NeighborAdvertisement{
		Router: router, Override: true, TargetAddress: vip,
		Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: net.HardwareAddr(mac[:])}},
	})
}

// NeighbourSolicitation returns a frame that asks the IPv6 address target's
// solicited-node group for its MAC (RFC 4861 §4.3, RFC 4291 §2.7.1). The
// question comes from own and the IPv6 address source.
func NeighbourSolicitation(own MAC, source, target netip.Addr) ([]byte, error) {
	group, err := ndp.SolicitedNodeMulticast(target)
	if err != nil {
		return nil, fmt.Errorf("build neighbour solicitation for %v: %w", target, err)
	}
	return neighbourFrame(own, source, group, 0, &ndp.NeighborSolicitation{
		TargetAddress: target,
		Options:       []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: net.HardwareAddr(own[:])}},
	})
}

// neighbourFrame wraps a neighbour discovery message in IPv6 and Ethernet.
func neighbourFrame(mac MAC, source, group netip.Addr, class uint32, m ndp.Message) ([]byte, error) {
	body, err := ndp.MarshalMessageChecksum(m, source, group)
	if err != nil {
		return nil, fmt.Errorf("build neighbour discovery message: %w", err)
	}
	b := ethernetHeader(MulticastMAC(group), mac, ethernet.EtherTypeIPv6)
	b = binary.BigEndian.AppendUint32(b, 6<<28|class<<20)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	b = append(b, ProtocolICMPv6, HopLimit)
	b = append(append(b, source.AsSlice()...), group.AsSlice()...)
	return append(b, body...), nil
}

// Answers reports whether an Ethernet frame answers [WhoHas] or
// [NeighbourSolicitation] for addr: an ARP reply from it, or a neighbour
// advertisement whose target it is.
func Answers(b []byte, addr netip.Addr) bool {
	of, _, ok := Answerer(b)
	return ok && of == addr.Unmap().WithZone("")
}

// Answerer returns the address that a frame answers [WhoHas] or
// [NeighbourSolicitation] for, and the MAC that has it: the sender's in an ARP reply,
// the source of the frame with a neighbour advertisement.
func Answerer(b []byte) (addr netip.Addr, mac MAC, ok bool) {
	if len(b) < EthernetLen {
		return addr, mac, false
	}
	source := MAC(b[6:12])
	kind, b := ethernet.EtherType(binary.BigEndian.Uint16(b[12:])), b[EthernetLen:]
	switch {
	case kind == ethernet.EtherTypeARP && len(b) >= arpLen && ARPOperation(binary.BigEndian.Uint16(b[6:])) == ARPReply:
		return netip.AddrFrom4([4]byte(b[14:18])), MAC(b[8:14]), true
	case kind == ethernet.EtherTypeIPv6 && len(b) >= IPv6Len+24:
		// A forwarded packet has a lower hop limit (RFC 4861 §7.1.2). The target
		// is at a fixed place, so ndp's parser, which refuses the whole message
		// for one bad option behind it, is not used here.
		ok = b[6] == ProtocolICMPv6 && b[7] == HopLimit && b[IPv6Len] == ICMPv6NA
		return netip.AddrFrom16([16]byte(b[IPv6Len+8 : IPv6Len+24])), source, ok
	}
	return addr, mac, false
}
