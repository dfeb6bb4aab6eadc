package port

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"holdfast/netdev/frame"

	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// WhoHas asks on the link of an interface who has each of some addresses, and returns
// the MACs that answered for each until the limit was over. It asks as Neighbour does,
// but waits for all answers.
func WhoHas(ctx context.Context, name string, limit time.Duration, addrs ...netip.Addr) (map[netip.Addr][]frame.MAC, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %s does not exist", name)
	}
	var questions [][]byte
	for _, addr := range addrs {
		question, _, err := ask(ifi, addr)
		if err != nil {
			return nil, err
		}
		questions = append(questions, question)
	}
	return collect(ctx, ifi, limit, nil, addrs, questions)
}

// WhoAnswersTo asks for IPv4 addresses from another MAC than the interface's, which the
// interface receives meanwhile, as it does for a macvlan. The question is an ARP probe,
// from which no neighbour learns the MAC; switches learn it.
func WhoAnswersTo(ctx context.Context, own frame.MAC, name string, limit time.Duration, addrs ...netip.Addr) (map[netip.Addr][]frame.MAC, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %s does not exist", name)
	}
	var questions [][]byte
	for _, addr := range addrs {
		questions = append(questions, frame.WhoHas(own, netip.IPv4Unspecified(), addr))
	}
	return collect(ctx, ifi, limit, &own, addrs, questions)
}

// collect sends questions a few times and collects the answers.
func collect(ctx context.Context, ifi *net.Interface, limit time.Duration, also *frame.MAC, addrs []netip.Addr, questions [][]byte) (map[netip.Addr][]frame.MAC, error) {
	if ifi.Flags&net.FlagUp == 0 || ifi.Flags&net.FlagRunning == 0 {
		return nil, fmt.Errorf("interface %s is down or has no carrier", ifi.Name)
	}
	// All protocols: with its own a socket gets nothing that a macvlan takes.
	conn, err := packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, allAnswers())
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", ifi.Name, err)
	}
	defer conn.Close()
	if also != nil {
		if err := receiveFor(conn, ifi, *also); err != nil {
			return nil, fmt.Errorf("receive for %v on %s: %w", *also, ifi.Name, err)
		}
	}
	answers := map[netip.Addr][]frame.MAC{} // has a key for each address that was asked for
	for _, a := range addrs {
		answers[a.Unmap().WithZone("")] = nil
	}
	start := time.Now()
	for i := range askTimes {
		for _, q := range questions {
			if _, err := conn.WriteTo(q, &packet.Addr{HardwareAddr: net.HardwareAddr(q[:6])}); err != nil {
				return nil, fmt.Errorf("ask on %s: %w", ifi.Name, err)
			}
		}
		if err := readAnswers(ctx, conn, answers, start.Add(limit*time.Duration(i+1)/askTimes)); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

// readAnswers collects answers until a time, or until ctx ends.
func readAnswers(ctx context.Context, conn *packet.Conn, answers map[netip.Addr][]frame.MAC, until time.Time) error {
	if end, bounded := ctx.Deadline(); bounded && end.Before(until) {
		until = end
	}
	_ = conn.SetReadDeadline(until)
	b := make([]byte, 2048)
	for {
		n, _, err := conn.ReadFrom(b)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("listen for answers: %w", err)
		}
		addr, mac, ok := frame.Answerer(b[:n])
		if macs, asked := answers[addr]; ok && asked && !slices.Contains(macs, mac) {
			answers[addr] = append(macs, mac)
		}
	}
}

// receiveFor adds a MAC to those that the interface receives, as long as conn is open.
func receiveFor(conn *packet.Conn, ifi *net.Interface, mac frame.MAC) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	request := unix.PacketMreq{Ifindex: int32(ifi.Index), Type: unix.PACKET_MR_UNICAST, Alen: uint16(len(mac))}
	copy(request.Address[:], mac[:])
	failed := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptPacketMreq(int(fd), unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &request)
	})
	return errors.Join(failed, err)
}

// allAnswers lets ARP replies and neighbour advertisements through that came in.
func allAnswers() *packet.Config {
	return filterConfig(
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 10},
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(ethernet.EtherTypeARP), SkipTrue: 2},
		bpf.LoadAbsolute{Off: frame.EthernetLen + 6, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(frame.ARPReply), SkipTrue: 5, SkipFalse: 6},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(ethernet.EtherTypeIPv6), SkipTrue: 5},
		bpf.LoadAbsolute{Off: frame.EthernetLen + 6, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: frame.ProtocolICMPv6, SkipTrue: 3},
		bpf.LoadAbsolute{Off: frame.EthernetLen + frame.IPv6Len, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: frame.ICMPv6NA, SkipFalse: 1},
		bpf.RetConstant{Val: 2048},
		bpf.RetConstant{Val: 0},
	)
}
