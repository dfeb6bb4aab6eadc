package netdev

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// entersyscallblock and exitsyscall bracket a system call that will block.
// Go's own wrappers announce one that may block, and leave the scheduler to find
// out: for up to 10 ms its monitor thread looks every 20 µs whether the call is
// still under way (runtime.sysmon, runtime.retake), some fifty wake-ups for each
// of ours. The runtime keeps both names open for others to use.
//
//go:linkname entersyscallblock runtime.entersyscallblock
func entersyscallblock()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()

// epollPwait2 is epoll_pwait2(2) for a wait that is expected to block.
//
// Between the two brackets the stack must not grow: nothing may be called there
// but what is nosplit itself, which the race detector's calls are not.
//
//go:noinline
//go:nosplit
//go:norace
func epollPwait2(set int, events *unix.EpollEvent, n int, timeout *unix.Timespec) (int, unix.Errno) {
	entersyscallblock()
	got, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(set), uintptr(unsafe.Pointer(events)),
		uintptr(n), uintptr(unsafe.Pointer(timeout)), 0, 0)
	exitsyscall()
	return int(got), errno
}
