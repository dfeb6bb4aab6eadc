package probe

import (
	"encoding/binary"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of this file are made on non-blocking sockets, so they never wait. They tell
// the scheduler of the runtime nothing: it would look after each of them, and that costs
// a tenth of a check. They allocate nothing either.

// A sockname is an address as the kernel takes it.
type sockname struct {
	raw  unix.RawSockaddrInet6 // an IPv4 address lies at its beginning
	size uintptr               // 0: none
}

// socknameOf fails only if a has a zone that is no interface at the moment.
func socknameOf(a netip.AddrPort) (n sockname, err error) {
	port := (*[2]byte)(unsafe.Pointer(&n.raw.Port))
	binary.BigEndian.PutUint16(port[:], a.Port())
	if a.Addr().Is4() {
		n.raw.Family, n.size = unix.AF_INET, unix.SizeofSockaddrInet4
		n.inet4().Addr = a.Addr().As4()
		return n, nil
	}
	n.raw.Family, n.size = unix.AF_INET6, unix.SizeofSockaddrInet6
	n.raw.Addr = a.Addr().As16()
	n.raw.Scope_id, err = scope(a.Addr().Zone())
	return n, err
}

func (n *sockname) inet4() *unix.RawSockaddrInet4 {
	return (*unix.RawSockaddrInet4)(unsafe.Pointer(&n.raw))
}

// address returns the address and port without a scope.
func (n *sockname) address() netip.AddrPort {
	port := (*[2]byte)(unsafe.Pointer(&n.raw.Port))
	switch n.raw.Family {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4(n.inet4().Addr), binary.BigEndian.Uint16(port[:]))
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16(n.raw.Addr), binary.BigEndian.Uint16(port[:]))
	}
	return netip.AddrPort{}
}

// is reports whether two names are the same address and port, in whatever scope.
func (n *sockname) is(other *sockname) bool {
	if n.raw.Family != other.raw.Family || n.raw.Port != other.raw.Port {
		return false
	}
	if n.raw.Family == unix.AF_INET {
		return n.inet4().Addr == other.inet4().Addr
	}
	return n.raw.Addr == other.raw.Addr
}

// failedCall returns the error of a call; nil for errno 0.
func failedCall(name string, errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return os.NewSyscallError(name, errno)
}

// bindNow is bind(2).
func bindNow(fd int, to *sockname) syscall.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&to.raw)), to.size)
	return errno
}

// connectNow is connect(2). Its error is 0 or an errno.
func connectNow(fd int, to *sockname) syscall.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&to.raw)), to.size)
	return errno
}

// localName is getsockname(2). It returns the zero name if the kernel does not tell.
func localName(fd int) (n sockname) {
	size := uint32(unsafe.Sizeof(n.raw))
	_, _, errno := unix.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&n.raw)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return sockname{}
	}
	n.size = uintptr(size)
	return n
}

// sendNow sends bytes, of which there is at least one. It raises no SIGPIPE.
func sendNow(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

// readNow reads bytes. It returns 0 at the end.
func readNow(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), errno
}

// setOption is setsockopt(2) of a number.
func setOption(fd, level, option, value int) syscall.Errno {
	number := int32(value)
	_, _, errno := unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option), uintptr(unsafe.Pointer(&number)), unsafe.Sizeof(number), 0)
	return errno
}

// setReset makes the end of a connection a reset.
func setReset(fd int) syscall.Errno {
	now := unix.Linger{Onoff: 1}
	_, _, errno := unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_LINGER, uintptr(unsafe.Pointer(&now)), unsafe.Sizeof(now), 0)
	return errno
}

// closeNow closes a socket that does not linger. Its error would say nothing of the
// server.
func closeNow(fd int) { _, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }
