package resource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Ticks returns when a process started, in ticks since boot; 0: there is none.
func Ticks(pid int) uint64 {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// "pid (comm) state ..." (proc_pid_stat(5)): comm may contain parentheses and
	// spaces. The start time is field 22.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return 0
	}
	n, _ := strconv.ParseUint(string(fields[19]), 10, 64)
	return n
}

// Await returns when a process has ended that a former process of the daemon began, and
// which was started at ticks. At the deadline, or when ctx ends, its process group is
// killed. Its exit status is not known: it may not be a child.
func Await(ctx context.Context, pid int, ticks uint64, deadline time.Time) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return // it has ended
	}
	defer unix.Close(fd)
	if Ticks(pid) != ticks {
		return // the number belongs to another process now
	}
	const slice = 100 * time.Millisecond // between two looks at ctx
	for ctx.Err() == nil && time.Now().Before(deadline) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(slice.Milliseconds()))
		if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
	}
	_ = unix.Kill(-pid, unix.SIGKILL)
}
