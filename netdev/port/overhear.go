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
//
// The interface is given by its index, too: net.InterfaceByName lists all interfaces,
// and hundreds of virtual routers may begin to listen at once.
func Overhear(ctx context.Context, name string, index int, ipv6 bool, vrid uint8, heard func(netip.Addr, frame.MAC)) error {
	kind := ethernet.EtherTypeIPv4
	if ipv6 {
		kind = ethernet.EtherTypeIPv6
	}
	// A packet socket for one protocol does not receive outgoing frames, and
	// receives a frame with a VLAN tag on the VLAN's interface only.
	conn, err := packet.Listen(&net.Interface{Index: index, Name: name}, packet.Raw, int(kind), advertFilter(ipv6, vrid))
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

// advertFilter drops everything but adverts of a virtual router in the kernel: the
// interface may be busy, and others may listen for hundreds of other routers on it. Behind an
// authentication header all pass.
func advertFilter(ipv6 bool, vrid uint8) *packet.Config {
	protocol := uint32(frame.EthernetLen + 9)
	load := []bpf.Instruction{
		bpf.LoadMemShift{Off: frame.EthernetLen}, // the length of the IPv4 header
		bpf.LoadIndirect{Off: frame.EthernetLen + 1, Size: 1},
	}
	if ipv6 {
		protocol = frame.EthernetLen + 6
		load = []bpf.Instruction{bpf.LoadAbsolute{Off: frame.EthernetLen + frame.IPv6Len + 1, Size: 1}}
	}
	n := uint8(len(load))
	program := append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: protocol, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: frame.ProtocolAH, SkipTrue: n + 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: frame.ProtocolVRRP, SkipTrue: n + 2},
	}, load...)
	return filterConfig(append(program,
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(vrid), SkipTrue: 1},
		bpf.RetConstant{Val: frame.EthernetLen + packetLen},
		bpf.RetConstant{Val: 0},
	)...)
}

// filterConfig returns the configuration of a packet socket with a filter.
func filterConfig(program ...bpf.Instruction) *packet.Config {
	filter, err := bpf.Assemble(program)
	if err != nil {
		panic("port: a constant filter cannot fail to assemble: " + err.Error())
	}
	return &packet.Config{Filter: filter}
}
