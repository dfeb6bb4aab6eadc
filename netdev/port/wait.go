package port

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// epollPwait2 is epoll_pwait2(2), whose timeout has nanoseconds.
//
// It uses Go's usual wrapper. To announce the blocking call to the scheduler
// through linkname (runtime.entersyscallblock) was measured with Go 1.26 against
// this, with waits of 1, 10 and 100 ms: the CPU time and the context switches of
// a wait were the same.
func epollPwait2(set int, events *unix.EpollEvent, n int, timeout *unix.Timespec) (int, unix.Errno) {
	got, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(set), uintptr(unsafe.Pointer(events)),
		uintptr(n), uintptr(unsafe.Pointer(timeout)), 0, 0)
	return int(got), errno
}
