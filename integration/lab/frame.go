package lab

import (
	"encoding/binary"
	"net/netip"
)

// Ethernet's protocol numbers, and IP's of VRRP.
const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherIPv6 = 0x86dd
	ipVRRP    = 112
	ipAH      = 51
)

// Source is the MAC address that the frame comes from.
func (f Frame) Source() MAC {
	if len(f.Bytes) < 14 {
		return MAC{}
	}
	return MAC(f.Bytes[6:12])
}

// Destination is the MAC address that the frame goes to.
func (f Frame) Destination() MAC {
	if len(f.Bytes) < 14 {
		return MAC{}
	}
	return MAC(f.Bytes[:6])
}

// Speaker is the address that the frame speaks for: its IP source, or the
// sender of an ARP packet.
func (f Frame) Speaker() (netip.Addr, bool) {
	if arp, ok := f.ARP(); ok {
		return arp.Sender, true
	}
	if ip, ok := f.payload(etherIPv4, 20); ok {
		return netip.AddrFrom4([4]byte(ip[12:16])), true
	}
	if ip, ok := f.payload(etherIPv6, 40); ok {
		return netip.AddrFrom16([16]byte(ip[8:24])), true
	}
	return netip.Addr{}, false
}

// Kind names the protocol of the frame: "arp", "icmp", "tcp", "icmpv6", "tcp6",
// or "" for others.
func (f Frame) Kind() string {
	if _, ok := f.payload(etherARP, 28); ok {
		return "arp"
	}
	if ip, ok := f.payload(etherIPv4, 20); ok {
		return map[byte]string{1: "icmp", 6: "tcp"}[ip[9]]
	}
	if ip, ok := f.payload(etherIPv6, 40); ok {
		return map[byte]string{58: "icmpv6", 6: "tcp6"}[ip[6]]
	}
	return ""
}

// payload is what the frame carries if it is of the Ethernet protocol.
func (f Frame) payload(protocol uint16, atLeast int) ([]byte, bool) {
	if len(f.Bytes) < 14+atLeast || binary.BigEndian.Uint16(f.Bytes[12:14]) != protocol {
		return nil, false
	}
	return f.Bytes[14:], true
}

// An Advert is what a VRRP packet says, as far as tests ask.
type Advert struct {
	Version  byte
	VRID     byte
	Priority byte
	Source   netip.Addr
	HopLimit byte
}

// Advert reads the frame as a VRRP packet, which over IPv4 may be behind an
// authentication header.
func (f Frame) Advert() (Advert, bool) {
	if ip, ok := f.payload(etherIPv4, 28); ok && (ip[9] == ipVRRP || ip[9] == ipAH) {
		source := netip.AddrFrom4([4]byte(ip[12:16]))
		header := int(ip[0]&0xf) * 4
		if ip[9] == ipAH {
			if len(ip) < header+2 || ip[header] != ipVRRP {
				return Advert{}, false
			}
			header += (int(ip[header+1]) + 2) * 4
		}
		if len(ip) < header+8 {
			return Advert{}, false
		}
		return advert(ip[header:], source, ip[8]), true
	}
	if ip, ok := f.payload(etherIPv6, 48); ok && ip[6] == ipVRRP {
		return advert(ip[40:], netip.AddrFrom16([16]byte(ip[8:24])), ip[7]), true
	}
	return Advert{}, false
}

func advert(vrrp []byte, source netip.Addr, hops byte) Advert {
	return Advert{Version: vrrp[0] >> 4, VRID: vrrp[1], Priority: vrrp[2], Source: source, HopLimit: hops}
}

// An ARP is an address resolution packet for IPv4.
type ARP struct {
	Reply     bool
	SenderMAC MAC
	Sender    netip.Addr
	Target    netip.Addr
}

// Gratuitous reports whether the packet only announces its sender.
func (a ARP) Gratuitous() bool { return a.Sender == a.Target }

// ARP reads the frame as an ARP packet.
func (f Frame) ARP() (ARP, bool) {
	body, ok := f.payload(etherARP, 28)
	if !ok {
		return ARP{}, false
	}
	return ARP{
		Reply:     binary.BigEndian.Uint16(body[6:8]) == 2,
		SenderMAC: MAC(body[8:14]),
		Sender:    netip.AddrFrom4([4]byte(body[14:18])),
		Target:    netip.AddrFrom4([4]byte(body[24:28])),
	}, true
}

// Announcement says which address the frame announces without having been
// asked, and with which MAC: a gratuitous ARP, or a neighbour advertisement
// that is not solicited.
func (f Frame) Announcement() (netip.Addr, MAC, bool) {
	if arp, ok := f.ARP(); ok {
		return arp.Sender, arp.SenderMAC, arp.Gratuitous()
	}
	const icmpv6, neighbourAdvertisement, solicited, targetMAC = 58, 136, 0x40, 2
	ip, ok := f.payload(etherIPv6, 40+32)
	if !ok || ip[6] != icmpv6 || ip[40] != neighbourAdvertisement || ip[44]&solicited != 0 || ip[64] != targetMAC {
		return netip.Addr{}, MAC{}, false
	}
	return netip.AddrFrom16([16]byte(ip[48:64])), MAC(ip[66:72]), true
}

// Advertised matches adverts of a virtual router that the wire's host sent.
func Advertised(vrid byte) func(Frame) bool {
	return func(f Frame) bool {
		a, ok := f.Advert()
		return ok && f.FromHost && a.VRID == vrid
	}
}

// SentFrom matches frames with this source that the wire's host sent.
func SentFrom(mac MAC) func(Frame) bool {
	return func(f Frame) bool { return f.FromHost && f.Source() == mac }
}

// Advertises says for which IPv6 address the frame is a neighbour advertisement,
// asked for or not.
func (f Frame) Advertises() (netip.Addr, bool) {
	const icmpv6, neighbourAdvertisement = 58, 136
	ip, ok := f.payload(etherIPv6, 40+24)
	if !ok || ip[6] != icmpv6 || ip[40] != neighbourAdvertisement {
		return netip.Addr{}, false
	}
	return netip.AddrFrom16([16]byte(ip[48:64])), true
}
