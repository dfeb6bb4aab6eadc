package netdev

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

const (
	// batchLen is how many packets one recvmmsg takes.
	batchLen = 64
	// packetLen holds the longest advert with an IPv4 header with all options
	// and an authentication header.
	packetLen = 60 + 24 + maxAdvert
	// controlLen holds the hop limit and the destination of an IPv6 packet.
	controlLen = 128
	// receiveBuffer is what a socket may queue while the reader is away:
	// 1,000 virtual routers at 100 ms for some seconds.
	receiveBuffer = 4 << 20
)

// An ear is a receive socket.
type ear struct {
	fd     int
	index  int
	kind   earKind
	groups []netip.Addr // that it has joined
}

// An earKind says what an ear hears.
type earKind uint8

const (
	ear4  earKind = iota // protocol 112 over IPv4
	ear6                 // protocol 112 over IPv6
	earAH                // protocol 112 behind an authentication header, over IPv4
)

// openEar makes one raw socket on one interface.
func openEar(l Listen, kind earKind) (*ear, error) {
	network, any, v6 := "ip4:112", "0.0.0.0", kind == ear6
	switch kind {
	case ear6:
		network, any = "ip6:112", "::"
	case earAH:
		network = "ip4:51"
	}
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = prepareEar(int(fd), l.Name, v6) }); e != nil {
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
	e := &ear{fd: fd, index: l.Index, kind: kind}
	if err := e.regroup(l.groups(kind)); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return e, nil
}

// prepareEar sets what must hold before the socket gets its first packet.
func prepareEar(fd int, name string, v6 bool) error {
	if err := unix.BindToDevice(fd, name); err != nil {
		return fmt.Errorf("bind to %s: %w", name, err)
	}
	// Otherwise a group that any other program joined is heard too. Raw sockets of
	// IPv6 cannot be kept from that (net/ipv6/raw.c raw_v6_match): such adverts are
	// dropped for their destination.
	if !v6 {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0); err != nil {
			return fmt.Errorf("clear IP_MULTICAST_ALL: %w", err)
		}
	}
	// Going beyond the system's limit takes CAP_NET_ADMIN over the machine,
	// which a container's root does not have.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) == nil {
		return nil
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer); err != nil {
		return fmt.Errorf("set receive buffer: %w", err)
	}
	return nil
}

// takeOver returns a descriptor of conn's socket that Go's poller does not
// know; the caller closes conn.
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

// mmsghdr is struct mmsghdr of recvmmsg(2) and sendmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

// A batch is the memory into which packets are received.
type batch struct {
	messages [batchLen]mmsghdr
	vectors  [batchLen]unix.Iovec
	names    [batchLen]unix.RawSockaddrInet6 // large enough for both families
	data     []byte
	control  []byte
}

func newBatch() *batch {
	b := &batch{data: make([]byte, batchLen*packetLen), control: make([]byte, batchLen*controlLen)}
	for i := range b.messages {
		b.vectors[i].Base = &b.data[i*packetLen]
		b.vectors[i].SetLen(packetLen)
		h := &b.messages[i].header
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Control = &b.control[i*controlLen]
	}
	return b
}

// read fills slots from first on, and returns how many were filled.
func (b *batch) read(fd, first int) (int, error) {
	for i := first; i < batchLen; i++ {
		h := &b.messages[i].header
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(controlLen)
		h.Flags = 0
	}
	for {
		// It does not wait: the scheduler need not know.
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.messages[first])),
			uintptr(batchLen-first), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
			continue
		}
		return 0, errno
	}
}

// packet reads slot i.
func (b *batch) packet(i int, e *ear) (Packet, bool) {
	m := &b.messages[i]
	if m.header.Flags&unix.MSG_TRUNC != 0 {
		return Packet{}, false
	}
	data := b.data[i*packetLen:][:m.length:m.length]
	var p Packet
	var ok bool
	switch e.kind {
	case ear6:
		p, ok = parse6(data, b.names[i].Addr, b.control[i*controlLen:][:m.header.Controllen])
	case earAH:
		p, ok = parseAH(data)
	default:
		p, ok = parse4(data)
	}
	p.IfIndex = e.index
	return p, ok
}

// parse4 reads what a raw IPv4 socket gives: the packet with its header.
func parse4(b []byte) (Packet, bool) { return parseIPv4(b, protocolVRRP) }

func parseIPv4(b []byte, protocol byte) (Packet, bool) {
	if len(b) < ipv4Len || b[0]>>4 != 4 || b[9] != protocol {
		return Packet{}, false
	}
	header, total := int(b[0]&0xf)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < ipv4Len || total < header || total > len(b) {
		return Packet{}, false
	}
	return Packet{
		Source:      netip.AddrFrom4([4]byte(b[12:16])),
		Destination: netip.AddrFrom4([4]byte(b[16:20])),
		HopLimit:    b[8],
		Payload:     b[header:total:total],
	}, true
}

// parse6 reads what a raw IPv6 socket gives: the payload, the source address,
// and hop limit and destination in control messages.
func parse6(b []byte, source [16]byte, control []byte) (Packet, bool) {
	p := Packet{Source: netip.AddrFrom16(source), Payload: b}
	var hops, destination bool
	for len(control) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		switch {
		case h.Level != unix.IPPROTO_IPV6:
		case h.Type == unix.IPV6_HOPLIMIT && len(data) >= 4:
			p.HopLimit, hops = uint8(binary.NativeEndian.Uint32(data)), true
		case h.Type == unix.IPV6_PKTINFO && len(data) >= 16:
			p.Destination, destination = netip.AddrFrom16([16]byte(data)), true
		}
		control = rest
	}
	return p, hops && destination
}

// Receive appends what has come to into and returns it. It blocks until there
// is something, the deadline has passed (the zero time is never) or Wake was
// called. Payloads are valid until the next call. An error is final: the port
// is of no use any more.
func (p *Port) Receive(deadline time.Time, into []Packet) ([]Packet, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return into, ErrClosed
	}
	p.waiting = true
	p.mu.Unlock()
	n, err := p.wait(deadline)
	p.mu.Lock()
	p.waiting = false
	if p.closed {
		p.finish()
		return into, ErrClosed
	}
	if err != nil {
		return into, fmt.Errorf("wait for packets: %w", err)
	}
	filled := 0
	for _, ev := range p.events[:n] {
		if int(ev.Fd) == p.wake {
			_, _ = unix.Read(p.wake, p.wakeBytes[:])
			continue
		}
		e := p.ears[ev.Fd]
		if e == nil || filled == batchLen { // closed meanwhile; or the next call's
			continue
		}
		// An error here is the interface's (ENETDOWN, ENODEV): reading it has
		// cleared it, and the watcher tells of the cause.
		got, _ := p.batch.read(e.fd, filled)
		for i := filled; i < filled+got; i++ {
			if packet, ok := p.batch.packet(i, e); ok {
				into = append(into, packet)
				p.stats.Received++
			} else {
				p.stats.Malformed++
			}
		}
		filled += got
	}
	return into, nil
}

// wait blocks in epoll until the deadline, to the nanosecond: epoll_wait(2)
// rounds to milliseconds, which is a tenth of an interval of 10 ms.
func (p *Port) wait(deadline time.Time) (int, error) {
	for {
		var ts unix.Timespec
		timeout := &ts
		if deadline.IsZero() {
			timeout = nil
		} else if d := time.Until(deadline); d > 0 {
			ts = unix.NsecToTimespec(int64(d))
		}
		n, errno := p.epollWait(timeout)
		switch errno {
		case 0:
			return n, nil
		case unix.EINTR:
			continue
		}
		return 0, errno
	}
}

func (p *Port) epollWait(timeout *unix.Timespec) (int, unix.Errno) {
	if !p.noNS {
		n, errno := epollPwait2(p.epoll, &p.events[0], len(p.events), timeout)
		if errno != unix.ENOSYS {
			return n, errno
		}
		p.noNS = true // before Linux 5.11
	}
	// An epoll set can itself be polled, and ppoll(2) takes nanoseconds.
	set := [1]unix.PollFd{{Fd: int32(p.epoll), Events: unix.POLLIN}}
	if _, err := unix.Ppoll(set[:], timeout, nil); err != nil {
		return 0, errnoOf(err)
	}
	n, err := unix.EpollWait(p.epoll, p.events, 0)
	if err != nil {
		return 0, errnoOf(err)
	}
	return n, 0
}

// errnoOf returns the error number of a system call.
func errnoOf(err error) unix.Errno {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return unix.EIO
	}
	return errno
}
