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

// Overhear calls heard for every advert of a virtual router that comes in on an
// interface, with the IP address and the MAC of its sender, until ctx ends. The
// raw sockets of a Port do not tell the MAC. heard is called from this
// goroutine.
func Overhear(ctx context.Context, name string, ipv6 bool, vrid uint8, heard func(netip.Addr, frame.MAC)) error {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return fmt.Errorf("listen for adverts on %s: %w", name, err)
	}
	kind := ethernet.EtherTypeIPv4
	if ipv6 {
		kind = ethernet.EtherTypeIPv6
	}
	// A packet socket for one protocol does not receive outgoing frames, and
	// receives a frame with a VLAN tag on the VLAN's interface only.
	conn, err := packet.Listen(ifi, packet.Raw, int(kind), advertFilter(ipv6))
	if err != nil {
		return fmt.Errorf("listen for adverts on %s: %w", name, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	b := make([]byte, frame.EthernetLen+packetLen)
	for {
		n, _, err := conn.ReadFrom(b)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return fmt.Errorf("listen for adverts on %s: %w", name, err)
		}
		if p, mac, ok := frame.ParseFrame(b[:n], ipv6); ok && len(p.Payload) >= 2 && p.Payload[1] == vrid {
			heard(p.Source, mac)
		}
	}
}

// advertFilter drops everything but adverts in the kernel: the interface may be
// busy.
func advertFilter(ipv6 bool) *packet.Config {
	protocol := uint32(frame.EthernetLen + 9)
	if ipv6 {
		protocol = frame.EthernetLen + 6
	}
	return filterConfig(
		bpf.LoadAbsolute{Off: protocol, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: frame.ProtocolVRRP, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: frame.ProtocolAH, SkipTrue: 1},
		bpf.RetConstant{Val: frame.EthernetLen + packetLen},
		bpf.RetConstant{Val: 0},
	)
}

// filterConfig returns the configuration of a packet socket with a filter.
func filterConfig(program ...bpf.Instruction) *packet.Config {
	filter, err := bpf.Assemble(program)
	if err != nil {
		panic("port: a constant filter cannot fail to assemble: " + err.Error())
	}
	return &packet.Config{Filter: filter}
}
