package director

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// realtimePriority is low among the real-time priorities: above everything
// that is not real-time, below whoever knows better (kernel threads have 50).
const realtimePriority = 10

// goRealtime locks the calling goroutine to its thread and gives the thread
// round-robin real-time scheduling, so that adverts are on time on a machine
// that is busy with other things. Threads and scripts started from it are
// normal again.
func goRealtime() error {
	runtime.LockOSThread()
	attr := unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR,
		Flags: unix.SCHED_FLAG_RESET_ON_FORK, Priority: realtimePriority,
	}
	if err := unix.SchedSetAttr(0, &attr, 0); err != nil {
		return fmt.Errorf("set real-time scheduling (needs CAP_SYS_NICE or LimitRTPRIO): %w", err)
	}
	return nil
}
