package netdev

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
)

const (
	icmpNS          = 135
	optionSourceMAC = 1
	nsLen           = 24 + 8 // message with target, then the option
	arpLen          = 28
	// askTimes is how often one look asks, spread over its time: a frame may
	// be lost, and a neighbour may limit its answers.
	askTimes = 3
)

// Neighbour returns nil if an address on the link of an interface answers, and
// otherwise what is wrong: ARP for IPv4 (RFC 826), neighbour discovery for IPv6
// (RFC 4861 §7.2). It asks by frames of its own, so that the neighbour's being
// there does not depend on what the kernel remembers of it, and a firewall
// that drops pings does not matter. It asks until ctx ends.
func Neighbour(ctx context.Context, name string, addr netip.Addr) error {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return fmt.Errorf("interface %s does not exist", name)
	}
	if err := LinkUp(name); err != nil {
		return err
	}
	question, kind, err := ask(ifi, addr)
	if err != nil {
		return err
	}
	conn, err := packet.Listen(ifi, packet.Raw, int(kind), filterFor(kind))
	if err != nil {
		return fmt.Errorf("listen on %s: %w", name, err)
	}
	defer conn.Close()
	start := time.Now()
	until, bounded := ctx.Deadline()
	if !bounded {
		until = start.Add(time.Second)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for i := range askTimes {
		if _, err := conn.WriteTo(question, &packet.Addr{HardwareAddr: net.HardwareAddr(question[:6])}); err != nil {
			return fmt.Errorf("ask on %s: %w", name, err)
		}
		answered, err := listen(ctx, conn, addr, start.Add(until.Sub(start)*time.Duration(i+1)/askTimes))
		if answered || err != nil {
			return err
		}
	}
	return fmt.Errorf("%v does not answer on %s", addr, name)
}

// listen waits for an answer until a time. The end of ctx is that of the look.
func listen(ctx context.Context, conn *packet.Conn, addr netip.Addr, until time.Time) (answered bool, err error) {
	if ctx.Err() == nil {
		_ = conn.SetReadDeadline(until)
	}
	b := make([]byte, 2048)
	for {
		n, _, err := conn.ReadFrom(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("listen for answers: %w", err)
		}
		if answers(b[:n], addr) {
			return true, nil
		}
	}
}

// ask returns the question for an address, as a frame.
func ask(ifi *net.Interface, addr netip.Addr) ([]byte, ethernet.EtherType, error) {
	if len(ifi.HardwareAddr) != len(MAC{}) {
		return nil, 0, fmt.Errorf("interface %s is not Ethernet", ifi.Name)
	}
	own := MAC(ifi.HardwareAddr)
	addr = addr.Unmap().WithZone("")
	source, err := askFrom(ifi, addr)
	if err != nil {
		return nil, 0, err
	}
	if addr.Is4() {
		return arpRequest(own, source, addr), ethernet.EtherTypeARP, nil
	}
	if !source.IsValid() {
		return nil, 0, fmt.Errorf("interface %s has no link-local IPv6 address to ask from", ifi.Name)
	}
	return solicit(own, source, addr), ethernet.EtherTypeIPv6, nil
}

// askFrom chooses the address that asks: one of ours in the neighbour's
// subnet, or else the first; for IPv6 the first link-local one. Without any,
// ARP asks from 0.0.0.0, which tells nobody anything wrong (RFC 5227 §1.1).
func askFrom(ifi *net.Interface, addr netip.Addr) (netip.Addr, error) {
	addresses, err := ifi.Addrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("look at the addresses of %s: %w", ifi.Name, err)
	}
	var first netip.Addr
	if addr.Is4() {
		first = netip.IPv4Unspecified()
	}
	for _, a := range addresses {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || p.Addr().Is4() != addr.Is4() {
			continue
		}
		switch {
		case addr.Is4() && p.Contains(addr), addr.Is6() && p.Addr().IsLinkLocalUnicast():
			return p.Addr(), nil
		case addr.Is4() && first.IsUnspecified():
			first = p.Addr()
		}
	}
	return first, nil
}

func arpRequest(own MAC, source, target netip.Addr) []byte {
	b := etherHeader(broadcastMAC, own, ethernet.EtherTypeARP)
	b = append(b, 0, 1, 8, 0, 6, 4) // Ethernet, IPv4, their address lengths
	b = binary.BigEndian.AppendUint16(b, uint16(ARPRequest))
	b = append(append(b, own[:]...), source.AsSlice()...)
	return append(append(b, make([]byte, 6)...), target.AsSlice()...)
}

// solicit returns a neighbour solicitation to the target's solicited-node
// group (RFC 4861 §4.3, RFC 4291 §2.7.1).
func solicit(own MAC, source, target netip.Addr) []byte {
	t := target.As16()
	group := netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 11: 1, 12: 0xff, 13: t[13], 14: t[14], 15: t[15]})
	b := etherHeader(MulticastMAC(group), own, ethernet.EtherTypeIPv6)
	b = binary.BigEndian.AppendUint32(b, 6<<28)
	b = append(b, 0, nsLen, protocolICMPv6, hopLimit)
	b = append(append(b, source.AsSlice()...), group.AsSlice()...)
	b = append(b, icmpNS, 0, 0, 0, 0, 0, 0, 0)
	b = append(b, target.AsSlice()...)
	b = append(b, optionSourceMAC, 1) // length in units of 8 bytes
	b = append(b, own[:]...)
	addresses, icmp := b[etherLen+8:etherLen+ipv6Len], b[etherLen+ipv6Len:]
	binary.BigEndian.PutUint16(icmp[2:], fold(sum(icmp, sum(addresses, nsLen+protocolICMPv6))))
	return b
}

// filterFor spares us the copies of all IPv6 packets of a busy interface.
func filterFor(kind ethernet.EtherType) *packet.Config {
	if kind != ethernet.EtherTypeIPv6 {
		return nil
	}
	return filtered(
		bpf.LoadAbsolute{Off: etherLen + 6, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protocolICMPv6, SkipTrue: 3},
		bpf.LoadAbsolute{Off: etherLen + ipv6Len, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: icmpNA, SkipTrue: 1},
		bpf.RetConstant{Val: 2048},
		bpf.RetConstant{Val: 0},
	)
}

// answers reports whether a frame is somebody's saying that the address is his.
func answers(b []byte, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if len(b) < etherLen {
		return false
	}
	kind, b := ethernet.EtherType(binary.BigEndian.Uint16(b[12:])), b[etherLen:]
	switch {
	case kind == ethernet.EtherTypeARP && addr.Is4() && len(b) >= arpLen:
		return ARPOperation(binary.BigEndian.Uint16(b[6:])) == ARPReply && netip.AddrFrom4([4]byte(b[14:18])) == addr
	case kind == ethernet.EtherTypeIPv6 && addr.Is6() && len(b) >= ipv6Len+24:
		// What was forwarded has lost a hop (RFC 4861 §7.1.2).
		return b[6] == protocolICMPv6 && b[7] == hopLimit && b[ipv6Len] == icmpNA &&
			netip.AddrFrom16([16]byte(b[ipv6Len+8:ipv6Len+24])) == addr
	}
	return false
}
