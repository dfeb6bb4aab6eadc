package bfd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// class and priority are those of routing protocols: DSCP CS6, and the first
// band of the default queueing discipline.
const (
	class    = 0xc0
	priority = 7
)

// A txSocket sends one session's packets. All of them come from one port,
// which no other session uses (RFC 5881 §4).
type txSocket struct {
	fd    int
	port  uint16
	index int // of the session's interface
	// to is where packets go: a struct sockaddr_in or sockaddr_in6.
	to    unix.RawSockaddrInet6
	toLen uintptr
	// header and vector are what message returns.
	header unix.Msghdr
	vector unix.Iovec
}

// openTx opens a transmit socket. wish is the port that the session had
// before, or 0.
func openTx(c *Config, wish uint16, random func() uint32) (*txSocket, error) {
	index, err := deviceIndex(c.Interface)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(family(c.Neighbour.Is6()), unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open a UDP socket: %w", err)
	}
	v := &txSocket{fd: fd, index: index}
	v.setDestination(c.Neighbour, c.rxKey().port())
	if err = v.prepare(c); err == nil {
		err = v.bind(c, wish, random)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return v, nil
}

func (v *txSocket) setDestination(a netip.Addr, port uint16) {
	var wire [2]byte
	binary.BigEndian.PutUint16(wire[:], port)
	port = binary.NativeEndian.Uint16(wire[:])
	if a.Is6() {
		v.to = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: port, Addr: a.As16()}
		if a.IsLinkLocalUnicast() {
			v.to.Scope_id = uint32(v.index)
		}
		v.toLen = unix.SizeofSockaddrInet6
		return
	}
	*(*unix.RawSockaddrInet4)(unsafe.Pointer(&v.to)) = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: port, Addr: a.As4()}
	v.toLen = unix.SizeofSockaddrInet4
}

func (v *txSocket) prepare(c *Config) error {
	level, ttl, tos := unix.IPPROTO_IP, unix.IP_TTL, unix.IP_TOS
	if c.Neighbour.Is6() {
		level, ttl, tos = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, unix.IPV6_TCLASS
	}
	if err := unix.SetsockoptInt(v.fd, level, ttl, int(c.TTL)); err != nil {
		return fmt.Errorf("set the TTL: %w", err)
	}
	// Nothing is received on this port.
	_ = unix.SetsockoptInt(v.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 0)
	_ = unix.SetsockoptInt(v.fd, level, tos, class)
	_ = unix.SetsockoptInt(v.fd, unix.SOL_SOCKET, unix.SO_PRIORITY, priority)
	if c.Interface == "" {
		return nil
	}
	if err := unix.BindToDevice(v.fd, c.Interface); err != nil {
		return fmt.Errorf("bind to %s: %w", c.Interface, err)
	}
	return nil
}

// bind binds to the port in wish, or to a random one.
func (v *txSocket) bind(c *Config, wish uint16, random func() uint32) error {
	var err error
	for range 64 {
		v.port = wish
		if wish == 0 {
			v.port = uint16(firstFromPort + random()%fromPorts)
		}
		wish = 0
		err = unix.Bind(v.fd, sockaddr(c.Source, c.Neighbour.Is6(), v.index, v.port))
		if !errors.Is(err, unix.EADDRINUSE) {
			break
		}
	}
	if errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("there is no address %v here", c.Source)
	}
	return os.NewSyscallError("bind", err)
}

// send sends a packet. It returns 0, or why the kernel refuses it.
func (v *txSocket) send(b *[PacketLen]byte) unix.Errno {
	for {
		// A raw system call, because it does not block.
		_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(v.fd), uintptr(unsafe.Pointer(&b[0])), PacketLen,
			unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&v.to)), v.toLen)
		if errno != unix.EINTR {
			return errno
		}
	}
}
