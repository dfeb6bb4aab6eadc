//go:build !go1.26 || go1.27 || plainwait

package port

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// canSendAhead says that a wait can send datagrams. Go's own wrapper returns from a wait
// too soon for that to gain something.
const canSendAhead = false

func epollAhead(int, *unix.EpollEvent, int, *ahead, naps) (int, unix.Errno) { return 0, unix.ENOSYS }

// epollPwait2 is epoll_pwait2(2) through Go's own wrapper. See block.go.
func epollPwait2(set int, events *unix.EpollEvent, n int, timeout *unix.Timespec, naps naps) (int, unix.Errno) {
	if naps.before != nil {
		_, _, _ = unix.Syscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(naps.before)), 0, 0)
	}
	got, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(set), uintptr(unsafe.Pointer(events)),
		uintptr(n), uintptr(unsafe.Pointer(timeout)), 0, 0)
	if naps.after != nil && errno == 0 && got == 1 && events.Fd != naps.urgent {
		_, _, _ = unix.Syscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(naps.after)), 0, 0)
		got, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(set), uintptr(unsafe.Pointer(events)),
			uintptr(n), uintptr(unsafe.Pointer(&atOnce)), 0, 0)
	}
	return int(got), errno
}
