package checker

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A socket is a connected socket whose reads and writes end with a context. It
// is a net.Conn, for crypto/tls.
//
// It stands for net.Dialer, which asks the kernel for both addresses, sets
// options and parses text that a check has no use for: of the CPU time of a TCP
// check that was a fifth.
type socket struct {
	*os.File
	remote  netip.AddrPort
	release func() bool // from the context
}

// dial connects, until ctx ends. So do reads and writes on the result.
func (c *caller) dial(ctx context.Context) (*socket, error) {
	file, err := c.open()
	if err != nil {
		return nil, c.failed("connect", err)
	}
	s := &socket{File: file, remote: c.remote}
	s.release = context.AfterFunc(ctx, func() {
		// It fails on a closed socket only, where nobody waits.
		_ = file.SetDeadline(aLongTimeAgo)
	})
	if err := s.connected(); err != nil {
		s.Close()
		return nil, c.failed("connect", err)
	}
	return s, nil
}

// aLongTimeAgo is a deadline that ends every read and write at once.
var aLongTimeAgo = time.Unix(1, 0)

// open returns a socket that is connecting. The runtime's poller gets it only
// then: a socket that is not yet connecting counts as hung up (EPOLLHUP).
func (c *caller) open() (*os.File, error) {
	family := unix.AF_INET
	if c.remote.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, c.kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := c.begin(fd); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "socket"), nil
}

// begin sets the options of a socket and has it connect.
func (c *caller) begin(fd int) error {
	for _, set := range c.options {
		if err := set(fd); err != nil {
			return err
		}
	}
	if c.source.IsValid() {
		from, err := sockaddr(netip.AddrPortFrom(c.source, 0))
		if err != nil {
			return err
		}
		if err := unix.Bind(fd, from); err != nil {
			return os.NewSyscallError("bind", err)
		}
	}
	to, err := sockaddr(c.remote)
	if err != nil {
		return err
	}
	if err := unix.Connect(fd, to); err != nil && err != unix.EINPROGRESS {
		return os.NewSyscallError("connect", err)
	}
	return nil
}

// connected waits for the connection.
func (s *socket) connected() error {
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) (done bool) {
		done, failed = s.isConnected(int(fd))
		return done
	})
	return errors.Join(err, failed)
}

// isConnected reports whether connecting is over, and how it failed.
func (s *socket) isConnected(fd int) (over bool, err error) {
	if _, err := unix.Getpeername(fd); err != nil {
		code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = syscall.Errno(code)
		}
		return err != nil, err
	}
	// With nobody listening, a connection to a local port of the range that
	// connect(2) chooses from may be given that same port, and then is one with
	// itself (simultaneous open, RFC 9293 §3.5).
	local, err := unix.Getsockname(fd)
	if err == nil && addrPort(local) == netip.AddrPortFrom(s.remote.Addr().WithZone(""), s.remote.Port()) {
		err = unix.ECONNREFUSED
	}
	return true, err
}

// Close ends the connection.
func (s *socket) Close() error {
	s.release()
	return s.File.Close()
}

// RemoteAddr implements net.Conn.
func (s *socket) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(s.remote) }

// LocalAddr implements net.Conn. Nobody has asked the kernel for it.
func (s *socket) LocalAddr() net.Addr { return &net.TCPAddr{} }

// scope returns the index of the interface that an IPv6 zone names.
func scope(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	device, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, err
	}
	return uint32(device.Index), nil
}

// sockaddr fails only if a has a zone that is no interface at the moment.
func sockaddr(a netip.AddrPort) (unix.Sockaddr, error) {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}, nil
	}
	zone, err := scope(a.Addr().Zone())
	return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port()), ZoneId: zone}, err
}

// addrPort returns what sa says, without its scope; zero if it is of neither
// family.
func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return netip.AddrPort{}
}
