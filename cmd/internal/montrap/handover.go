package montrap

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Pause has Serve end without closing the socket, where traps wait for Resume, or for the
// binary that Adopt is called in.
func (s *Server) Pause() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) }

// Resume allows Serve again.
func (s *Server) Resume() error { return s.conn.SetReadDeadline(time.Time{}) }

// FD returns the descriptor of the socket, for Adopt; -1 if it is closed.
func (s *Server) FD() int {
	fd := -1
	s.control(func(n uintptr) { fd = int(n) })
	return fd
}

// HandOn has a binary that replaces this one inherit the descriptor. Until Keep, nothing
// else may be started.
func (s *Server) HandOn() { s.control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETFD, 0) }) }

// Keep undoes HandOn.
func (s *Server) Keep() { s.control(func(fd uintptr) { unix.CloseOnExec(int(fd)) }) }

func (s *Server) control(f func(fd uintptr)) {
	if raw, err := s.conn.SyscallConn(); err == nil {
		_ = raw.Control(f)
	}
}

// Adopt goes on with the socket that another binary in this process has left open
// (HandOn). It does not touch a descriptor that is no UDP socket at the address.
func Adopt(fd int, at netip.AddrPort, senders []Sender, take Taker, log *slog.Logger) (*Server, error) {
	if !listens(fd, at) {
		return nil, fmt.Errorf("the descriptor %d that was left does not listen at %v", fd, at)
	}
	f := os.NewFile(uintptr(fd), at.String())
	conn, err := net.FilePacketConn(f) // of a duplicate, which no other program inherits
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("go on with the socket of %v: %w", at, err)
	}
	return newServer(conn.(*net.UDPConn), senders, take, log), nil
}

// listens reports whether a descriptor is a UDP socket with an address of its own.
func listens(fd int, at netip.AddrPort) bool {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil || kind != unix.IPPROTO_UDP {
		return false
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return false
	}
	var bound netip.AddrPort
	switch n := name.(type) {
	case *unix.SockaddrInet4:
		bound = netip.AddrPortFrom(netip.AddrFrom4(n.Addr), uint16(n.Port))
	case *unix.SockaddrInet6:
		bound = netip.AddrPortFrom(netip.AddrFrom16(n.Addr).Unmap(), uint16(n.Port))
	}
	// Go listens at 0.0.0.0 with a socket for both families where it can.
	same := bound.Addr() == at.Addr().Unmap() || bound.Addr().IsUnspecified() && at.Addr().IsUnspecified()
	return same && bound.Port() == at.Port()
}
