package probe

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
// It replaces net.Dialer, which asks the kernel for both addresses, sets options
// and parses text that a check does not need. That was a fifth of the CPU time
// of a TCP check.
type socket struct {
	*os.File
	remote  netip.AddrPort
	to      sockname    // the same
	release func() bool // stops watching the context
}

// dial connects. The end of ctx ends the attempt to connect, and every later
// read and write.
func (d *dialer) dial(ctx context.Context) (*socket, error) {
	fd, over, err := d.open()
	if err != nil {
		return nil, d.unopened(err)
	}
	// The runtime's poller must not get fd earlier: epoll reports a socket that is not
	// yet connecting as hung up (EPOLLHUP).
	s := d.take(ctx, fd)
	if err := s.await(over); err != nil {
		s.Close()
		return nil, d.failed("connect", err)
	}
	return s, nil
}

// take makes a socket of a file descriptor.
func (d *dialer) take(ctx context.Context, fd int) *socket {
	s := &socket{File: os.NewFile(uintptr(fd), "socket"), remote: d.remote, to: d.to}
	s.watch(ctx)
	return s
}

// watch ends every read and write at the end of ctx.
func (s *socket) watch(ctx context.Context) {
	s.release = context.AfterFunc(ctx, func() {
		// It fails only on a closed socket, on which nobody waits.
		_ = s.SetDeadline(aLongTimeAgo)
	})
}

// unwatch undoes watch. It returns false if the context has ended meanwhile; the socket
// is of no more use then.
func (s *socket) unwatch() bool { return s.release() }

// aLongTimeAgo is a deadline that ends every read and write at once.
var aLongTimeAgo = time.Unix(1, 0)

// open returns a socket that is connecting. over reports whether it has connected.
func (d *dialer) open() (fd int, over bool, err error) {
	family := unix.AF_INET
	if d.remote.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err = unix.Socket(family, int(d.kind)|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, false, os.NewSyscallError("socket", err)
	}
	if over, err = d.begin(fd); err != nil {
		unix.Close(fd)
		return -1, false, err
	}
	return fd, over, nil
}

// begin sets the options of a socket and makes it connect.
func (d *dialer) begin(fd int) (over bool, err error) {
	for _, set := range d.options {
		if err := set(fd); err != nil {
			return false, err
		}
	}
	source := d.source
	if d.toward {
		chosen, err := sourceToward(d.source)
		if err != nil {
			return false, err
		}
		source = chosen
	}
	if source.IsValid() {
		from, err := socknameOf(netip.AddrPortFrom(source, 0))
		if err != nil {
			return false, err
		}
		if errno := bindNow(fd, &from); errno != 0 {
			return false, os.NewSyscallError("bind", errno)
		}
	}
	if d.to.size == 0 || d.remote.Addr().Zone() != "" { // an interface can get another index
		to, err := socknameOf(d.remote)
		if err != nil {
			return false, err
		}
		d.to = to
	}
	errno := connectNow(fd, &d.to)
	if errno != 0 && errno != unix.EINPROGRESS {
		return false, os.NewSyscallError("connect", errno)
	}
	return errno == 0, nil
}

// await waits for the connection, unless connecting is over.
func (s *socket) await(over bool) error {
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) (done bool) {
		done, failed = s.isConnected(int(fd), over)
		return done
	})
	return errors.Join(err, failed)
}

// isConnected reports whether connecting is over, and how it failed. It asks only for
// the latter if known says that connecting is over.
func (s *socket) isConnected(fd int, known bool) (over bool, err error) {
	if !known {
		if _, err := unix.Getpeername(fd); err != nil {
			code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
			if err == nil && code != 0 {
				err = syscall.Errno(code)
			}
			return err != nil, err
		}
	}
	if isWithItself(fd, &s.to) {
		return true, unix.ECONNREFUSED
	}
	return true, nil
}

// isWithItself reports whether a connection is one with itself. Where nobody listens on
// a local port, connect(2) may choose that same port for our side (simultaneous open,
// RFC 9293 §3.5).
func isWithItself(fd int, remote *sockname) bool {
	local := localName(fd)
	return local.is(remote)
}

// Close ends the connection.
func (s *socket) Close() error {
	s.release()
	return s.File.Close()
}

// RemoteAddr implements net.Conn.
func (s *socket) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(s.remote) }

// LocalAddr implements net.Conn. It returns no address, because a check does not
// ask the kernel for one.
func (s *socket) LocalAddr() net.Addr { return &net.TCPAddr{} }

// local returns the address and port of our side; "" if the kernel does not tell.
func (s *socket) local() string {
	raw, err := s.SyscallConn()
	if err != nil {
		return ""
	}
	var local netip.AddrPort
	err = raw.Control(func(fd uintptr) {
		name := localName(int(fd))
		local = name.address()
	})
	if err != nil || !local.IsValid() {
		return ""
	}
	return local.String()
}

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
