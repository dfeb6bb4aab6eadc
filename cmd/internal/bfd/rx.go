package bfd

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"holdfast/netdev/port"
)

const (
	// rxBuffer is how many bytes a socket may queue while the process is busy.
	rxBuffer = 1 << 20
	// batchLen is how many packets one system call reads.
	batchLen = 32
	// turnLen bounds how many packets are read from one socket in a turn of the
	// loop, so that adverts are not delayed.
	turnLen = 4 * batchLen
	// queueLen is a full socket queue of the shortest packets: all packets that
	// arrived within a detection time are read before that time ends.
	queueLen = 4096
	// dataLen holds the longest packet: 24 bytes, and authentication of up to 255.
	dataLen = 512
	// controlLen holds TTL, destination and time of a packet.
	controlLen = 128
)

// An rxKey says what a receive socket is for.
type rxKey struct {
	v6, multihop bool
	device       string // "": every interface outside of VRFs that has no socket of its own
}

func (c *Config) rxKey() rxKey { return rxKey{c.Neighbour.Is6(), c.Multihop, c.Interface} }

func (k rxKey) port() uint16 {
	if k.multihop {
		return multihopPort
	}
	return singlePort
}

// An rxSocket is a receive socket.
type rxSocket struct {
	rxKey
	fd    int
	index int  // of the device
	ready bool // it can be read
	// unwatched says that the loop is not told when it can be read: see [Speaker.rewatch].
	unwatched bool
	emptied   time.Time // before then nothing had arrived that was not read
	expected  expectation
}

// openRx opens a receive socket. Sockets on different devices share the port
// with others, the ones that are open; but never with another program, which
// would receive our packets.
func openRx(k rxKey, others []*rxSocket) (*rxSocket, error) {
	index, err := deviceIndex(k.device)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(family(k.v6), unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open a UDP socket: %w", err)
	}
	e := &rxSocket{rxKey: k, fd: fd, index: index, emptied: time.Now()}
	if err = e.prepare(); err == nil {
		err = e.bind(others)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("hear BFD at UDP port %d: %w", k.port(), err)
	}
	return e, nil
}

func (e *rxSocket) prepare() error {
	if e.device != "" {
		if err := unix.BindToDevice(e.fd, e.device); err != nil {
			return fmt.Errorf("bind to %s: %w", e.device, err)
		}
	}
	// Exceeding the system's limit needs CAP_NET_ADMIN in the first user namespace.
	if unix.SetsockoptInt(e.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, rxBuffer) != nil {
		_ = unix.SetsockoptInt(e.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, rxBuffer)
	}
	// Without time stamps a packet counts from when it is read.
	_ = unix.SetsockoptInt(e.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS_NEW, 1)
	if !e.v6 {
		return setAll(e.fd, unix.IPPROTO_IP, unix.IP_RECVTTL, unix.IP_PKTINFO)
	}
	return setAll(e.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, unix.IPV6_RECVHOPLIMIT, unix.IPV6_RECVPKTINFO)
}

func setAll(fd, level int, options ...int) error {
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, level, o, 1); err != nil {
			return fmt.Errorf("set socket option %d: %w", o, err)
		}
	}
	return nil
}

func (e *rxSocket) bind(others []*rxSocket) error {
	var same []int
	for _, o := range others {
		if o.v6 == e.v6 && o.multihop == e.multihop {
			same = append(same, o.fd)
		}
	}
	share := func(yes int) {
		for _, fd := range same {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, yes)
		}
	}
	if len(same) > 0 {
		same = append(same, e.fd)
		share(1)
		defer share(0)
	}
	return unix.Bind(e.fd, sockaddr(netip.Addr{}, e.v6, 0, e.port()))
}

// A batch is the memory that packets are read into.
type batch struct {
	messages [batchLen]port.MMsghdr
	vectors  [batchLen]unix.Iovec
	names    [batchLen]unix.RawSockaddrInet6 // large enough for both families
	data     [batchLen][dataLen]byte
	control  [batchLen][controlLen]byte
}

func newBatch() *batch {
	b := &batch{}
	for i := range b.messages {
		b.vectors[i].Base = &b.data[i][0]
		b.vectors[i].SetLen(dataLen)
		h := &b.messages[i].Header
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Control = &b.control[i][0]
	}
	return b
}

// read reads what waits in a socket, up to a batch. An error is the interface's;
// reading has cleared it.
func (b *batch) read(fd int) int {
	for i := range b.messages {
		h := &b.messages[i].Header
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(controlLen)
		h.Flags = 0
	}
	for {
		// A raw system call, because it does not block.
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.messages[0])),
			batchLen, unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(n)
		case unix.EINTR:
			continue
		}
		return 0
	}
}

// datagram reads slot i into d, whose Payload is then part of the batch. since is
// the earliest time at which the packet can have arrived.
func (b *batch) datagram(i int, e *rxSocket, since, now time.Time, d *Datagram) {
	m := &b.messages[i]
	*d = Datagram{Interface: e.device, Multihop: e.multihop, Arrived: now, Payload: b.data[i][:m.Length]}
	if e.v6 {
		d.Source = netip.AddrFrom16(b.names[i].Addr)
	} else {
		d.Source = netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&b.names[i])).Addr)
	}
	d.readControl(b.control[i][:m.Header.Controllen], since, now)
}

// readControl reads the TTL, the destination address and the time. A packet without
// the first two is refused.
func (d *Datagram) readControl(b []byte, since, now time.Time) {
	for len(b) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(b)
		if err != nil {
			return
		}
		switch at := [2]int32{h.Level, h.Type}; {
		case at == [2]int32{unix.IPPROTO_IP, unix.IP_TTL} && len(data) >= 4,
			at == [2]int32{unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT} && len(data) >= 4:
			d.TTL = uint8(binary.NativeEndian.Uint32(data))
		case at == [2]int32{unix.IPPROTO_IP, unix.IP_PKTINFO} && len(data) >= unix.SizeofInet4Pktinfo:
			d.Destination = netip.AddrFrom4([4]byte(data[8:12])) // struct in_pktinfo: index, spec_dst, addr
		case at == [2]int32{unix.IPPROTO_IPV6, unix.IPV6_PKTINFO} && len(data) >= unix.SizeofInet6Pktinfo:
			d.Destination = netip.AddrFrom16([16]byte(data[:16]))
		case at == [2]int32{unix.SOL_SOCKET, unix.SO_TIMESTAMPNS_NEW} && len(data) >= 16: // struct __kernel_timespec
			stamp := time.Unix(int64(binary.NativeEndian.Uint64(data)), int64(binary.NativeEndian.Uint64(data[8:])))
			d.Arrived = arrival(stamp, since, now)
		}
		b = rest
	}
}

// arrival returns when a packet arrived, by Go's monotonic clock. stamp is the
// kernel's real-time clock, which somebody may have set since: a packet arrives
// between since, when nothing waited in its socket, and now.
func arrival(stamp, since, now time.Time) time.Time {
	at := now.Add(stamp.Round(0).Sub(now.Round(0))) // Round(0): by the real-time clock
	switch {
	case at.After(now):
		return now
	case at.Before(since):
		return since
	}
	return at
}
