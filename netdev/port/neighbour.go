package port

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"holdfast/netdev/frame"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
)

// askTimes is how often Neighbour asks, spread evenly over its time: a frame may
// be lost, and a neighbour may limit the rate of its answers.
const askTimes = 3

// Neighbour returns nil if a host on the link of an interface answers for addr,
// and otherwise what is wrong. It asks by ARP for IPv4 (RFC 826) and by
// neighbour discovery for IPv6 (RFC 4861 §7.2), until ctx ends or for a second.
//
// It sends frames of its own, so the result depends neither on the kernel's
// neighbour table nor on a firewall that drops pings.
func Neighbour(ctx context.Context, name string, addr netip.Addr) error {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return fmt.Errorf("interface %s does not exist", name)
	}
	switch {
	case ifi.Flags&net.FlagUp == 0:
		return fmt.Errorf("interface %s is down", name)
	case ifi.Flags&net.FlagRunning == 0:
		return fmt.Errorf("interface %s has no carrier", name)
	}
	question, kind, err := ask(ifi, addr)
	if err != nil {
		return err
	}
	conn, err := packet.Listen(ifi, packet.Raw, int(kind), answerFilter(kind))
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
		answered, err := awaitAnswer(ctx, conn, addr, start.Add(until.Sub(start)*time.Duration(i+1)/askTimes))
		if answered || err != nil {
			return err
		}
	}
	return fmt.Errorf("%v does not answer on %s", addr, name)
}

// awaitAnswer waits for an answer until a time, or until ctx ends.
func awaitAnswer(ctx context.Context, conn *packet.Conn, addr netip.Addr, until time.Time) (answered bool, err error) {
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
		if frame.Answers(b[:n], addr) {
			return true, nil
		}
	}
}

// ask returns the frame that asks for an address, and the protocol of the
// answer.
func ask(ifi *net.Interface, addr netip.Addr) ([]byte, ethernet.EtherType, error) {
	if len(ifi.HardwareAddr) != len(frame.MAC{}) {
		return nil, 0, fmt.Errorf("interface %s is not Ethernet", ifi.Name)
	}
	own := frame.MAC(ifi.HardwareAddr)
	addr = addr.Unmap().WithZone("")
	source, err := askFrom(ifi, addr)
	if err != nil {
		return nil, 0, err
	}
	if addr.Is4() {
		return frame.WhoHas(own, source, addr), ethernet.EtherTypeARP, nil
	}
	if !source.IsValid() {
		return nil, 0, fmt.Errorf("interface %s has no link-local IPv6 address to ask from", ifi.Name)
	}
	question, err := frame.NeighbourSolicitation(own, source, addr)
	return question, ethernet.EtherTypeIPv6, err
}

// askFrom chooses the address to ask from: for IPv4 one of ours in the
// neighbour's subnet, else our first, else 0.0.0.0, from which nobody learns
// anything wrong (RFC 5227 §1.1); for IPv6 our first link-local address.
func askFrom(ifi *net.Interface, addr netip.Addr) (netip.Addr, error) {
	addresses, err := ifi.Addrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("list the addresses of %s: %w", ifi.Name, err)
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

// answerFilter drops all IPv6 packets but neighbour advertisements in the
// kernel: the interface may be busy.
func answerFilter(kind ethernet.EtherType) *packet.Config {
	if kind != ethernet.EtherTypeIPv6 {
		return nil
	}
	return filterConfig(
		bpf.LoadAbsolute{Off: frame.EthernetLen + 6, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: frame.ProtocolICMPv6, SkipTrue: 3},
		bpf.LoadAbsolute{Off: frame.EthernetLen + frame.IPv6Len, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: frame.ICMPv6NA, SkipTrue: 1},
		bpf.RetConstant{Val: 2048},
		bpf.RetConstant{Val: 0},
	)
}
