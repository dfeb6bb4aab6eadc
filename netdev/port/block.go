//go:build go1.26 && !go1.27 && !plainwait

package port

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// entersyscallblock and exitsyscall bracket a system call that will block.
//
// Go's own wrappers announce a system call that may block, and the scheduler
// finds out whether it does: for up to 10 ms its monitor thread looks every
// 20 µs whether the call is still under way (runtime.sysmon, runtime.retake).
// The gain, with Go 1.26.8 and 50 MASTERs at 100 ms: 26 µs CPU an advert instead
// of 48.
//
// The runtime keeps both names open for linkname, but their contract is not
// part of Go's compatibility promise. So this file is built only with the Go
// versions that it was measured on; others build wait_plain.go, and so does
// the tag plainwait. A build without optimization needs that tag: its frames are
// too large for functions that must not grow the stack.
//
//go:linkname entersyscallblock runtime.entersyscallblock
func entersyscallblock()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()

// canSendAhead says that a wait can send datagrams.
const canSendAhead = unsafe.Sizeof(uintptr(0)) == 8 // see monotonic

// epollAhead waits as ahead.wait does. It takes the nap before the wait.
//
//go:noinline
//go:nosplit
//go:norace
func epollAhead(set int, events *unix.EpollEvent, n int, a *ahead, naps naps) (int, unix.Errno) {
	entersyscallblock()
	if naps.before != nil {
		_, _, _ = unix.RawSyscall6(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(naps.before)), 0, 0, 0, 0, 0)
	}
	got, errno := a.wait(set, events, n)
	exitsyscall()
	return got, errno
}

// epollPwait2 is epoll_pwait2(2) for a wait that is expected to block. It takes the naps
// without a second entry of the scheduler's.
//
// Between the two brackets the stack must not grow. So only nosplit functions
// may be called there, which excludes the race detector's calls.
//
//go:noinline
//go:nosplit
//go:norace
func epollPwait2(set int, events *unix.EpollEvent, n int, timeout *unix.Timespec, naps naps) (int, unix.Errno) {
	entersyscallblock()
	if naps.before != nil {
		_, _, _ = unix.RawSyscall6(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(naps.before)), 0, 0, 0, 0, 0)
	}
	got, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(set), uintptr(unsafe.Pointer(events)),
		uintptr(n), uintptr(unsafe.Pointer(timeout)), 0, 0)
	if naps.after != nil && errno == 0 && got == 1 && events.Fd != naps.urgent {
		_, _, _ = unix.RawSyscall6(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(naps.after)), 0, 0, 0, 0, 0)
		got, _, errno = unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(set), uintptr(unsafe.Pointer(events)),
			uintptr(n), uintptr(unsafe.Pointer(&atOnce)), 0, 0)
	}
	exitsyscall()
	return int(got), errno
}
