package port

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"holdfast/netdev/frame"

	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

const (
	// batchLen is the most packets that one recvmmsg or sendmmsg takes.
	batchLen = 64
	// packetLen holds the longest advert with an IPv4 header with all options
	// and an authentication header.
	packetLen = 60 + 24 + frame.MaxAdvert
	// controlLen holds the hop limit and the destination of an IPv6 packet.
	controlLen = 128
	// receiveBuffer is the size of a socket's queue, in bytes: it holds what
	// 1,000 virtual routers at 100 ms send in some seconds.
	receiveBuffer = 4 << 20
)

// An rxSocket is a raw socket that receives adverts on one interface.
type rxSocket struct {
	fd     int
	index  int
	kind   rxKind
	groups []netip.Addr // joined
}

// An rxKind is what an rxSocket receives.
type rxKind uint8

const (
	rx4  rxKind = iota // protocol 112 over IPv4
	rx6                // protocol 112 over IPv6
	rxAH               // protocol 112 behind an authentication header, over IPv4
)

func openRx(l Listen, kind rxKind) (*rxSocket, error) {
	network, any, v6 := "ip4:112", "0.0.0.0", kind == rx6
	switch kind {
	case rx6:
		network, any = "ip6:112", "::"
	case rxAH:
		network = "ip4:51"
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = prepareRx(int(fd), l.Name, v6) }); e != nil {
			return e
		}
		return err
	}}
	conn, err := config.ListenPacket(context.Background(), network, any)
	if err != nil {
		return nil, fmt.Errorf("open raw socket %s: %w", network, err)
	}
	defer conn.Close()
	if v6 {
		if err := ipv6.NewPacketConn(conn).SetControlMessage(ipv6.FlagHopLimit|ipv6.FlagDst, true); err != nil {
			return nil, fmt.Errorf("ask for hop limit and destination: %w", err)
		}
	}
	fd, err := takeOver(conn.(*net.IPConn))
	if err != nil {
		return nil, err
	}
	s := &rxSocket{fd: fd, index: l.Index, kind: kind}
	if err := s.setGroups(l.groups(kind)); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return s, nil
}

// prepareRx sets the options that must hold before the first packet arrives.
func prepareRx(fd int, name string, v6 bool) error {
	if err := unix.BindToDevice(fd, name); err != nil {
		return fmt.Errorf("bind to %s: %w", name, err)
	}
	// By default the socket also receives groups that other programs joined. For
	// IPv6 that cannot be switched off (net/ipv6/raw.c raw_v6_match); the reader
	// drops such adverts because of their destination.
	if !v6 {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0); err != nil {
			return fmt.Errorf("clear IP_MULTICAST_ALL: %w", err)
		}
	}
	// Exceeding the system's limit takes CAP_NET_ADMIN over the machine, which
	// root in a container does not have.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) == nil {
		return nil
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer); err != nil {
		return fmt.Errorf("set receive buffer: %w", err)
	}
	return nil
}

// takeOver returns a second descriptor of conn's socket, which Go's poller does
// not know. The caller closes conn.
func takeOver(conn *net.IPConn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("take over socket: %w", err)
	}
	var fd int
	if e := raw.Control(func(old uintptr) {
		fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	}); e != nil {
		err = e
	}
	if err != nil {
		return 0, fmt.Errorf("take over socket: %w", err)
	}
	return fd, nil
}
