package netdev

import (
	"context"
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

// Overhear calls heard for every advert of a virtual router that comes in on an
// interface, with the IP address and the MAC address that sent it, until ctx
// ends. A Port's raw sockets do not tell the latter. heard is called from this
// goroutine.
func Overhear(ctx context.Context, name string, ipv6 bool, vrid uint8, heard func(netip.Addr, MAC)) error {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return fmt.Errorf("listen for adverts on %s: %w", name, err)
	}
	kind := ethernet.EtherTypeIPv4
	if ipv6 {
		kind = ethernet.EtherTypeIPv6
	}
	// A socket for one protocol is not given what leaves, and gets a frame with
	// a VLAN tag on the VLAN's interface alone.
	conn, err := packet.Listen(ifi, packet.Raw, int(kind), advertFilter(ipv6))
	if err != nil {
		return fmt.Errorf("listen for adverts on %s: %w", name, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	b := make([]byte, etherLen+packetLen)
	for {
		n, _, err := conn.ReadFrom(b)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return fmt.Errorf("listen for adverts on %s: %w", name, err)
		}
		if source, mac, ok := spoke(b[:n], ipv6, vrid); ok {
			heard(source, mac)
		}
	}
}

// spoke returns who sent a frame with an advert of the virtual router.
func spoke(frame []byte, ipv6 bool, vrid uint8) (netip.Addr, MAC, bool) {
	if len(frame) < etherLen {
		return netip.Addr{}, MAC{}, false
	}
	p, ok := advertIn(frame[etherLen:], ipv6)
	if !ok || len(p.Payload) < 2 || p.Payload[1] != vrid {
		return netip.Addr{}, MAC{}, false
	}
	return p.Source, MAC(frame[6:12]), true
}

// advertIn reads an IP packet with its header.
func advertIn(b []byte, ipv6 bool) (Packet, bool) {
	if ipv6 {
		if len(b) < ipv6Len || b[0]>>4 != 6 || b[6] != protocolVRRP {
			return Packet{}, false
		}
		return Packet{Source: netip.AddrFrom16([16]byte(b[8:24])), HopLimit: b[7], Payload: b[ipv6Len:]}, true
	}
	if p, ok := parse4(b); ok {
		return p, true
	}
	return parseAH(b)
}

// advertFilter lets adverts pass and nothing else of what a busy interface gets.
func advertFilter(ipv6 bool) *packet.Config {
	protocol := uint32(etherLen + 9)
	if ipv6 {
		protocol = etherLen + 6
	}
	return filtered(
		bpf.LoadAbsolute{Off: protocol, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: protocolVRRP, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protocolAH, SkipTrue: 1},
		bpf.RetConstant{Val: etherLen + packetLen},
		bpf.RetConstant{Val: 0},
	)
}

// filtered is for a packet socket that is given what a filter lets pass.
func filtered(program ...bpf.Instruction) *packet.Config {
	filter, err := bpf.Assemble(program)
	if err != nil {
		panic("netdev: a constant filter cannot fail to assemble: " + err.Error())
	}
	return &packet.Config{Filter: filter}
}
