package program

import (
	"maps"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// running has when each program that runs must have ended, by its pid. Programs without a
// limit are not in it. They are the children of this process, whoever in it started them.
var running = struct {
	sync.Mutex
	ends map[int]time.Duration // since boot
}{ends: map[int]time.Duration{}}

// Ends returns when each program that runs must have ended, by its pid, as time since boot.
// That is for [Inherit] in the binary after an upgrade.
func Ends() map[int]time.Duration {
	running.Lock()
	defer running.Unlock()
	return maps.Clone(running.ends)
}

// noteEnd notes that a program must have ended in a time, and returns when that is.
func noteEnd(pid int, left time.Duration) time.Duration {
	end := sinceBoot() + left
	setEnd(pid, end)
	return end
}

func setEnd(pid int, end time.Duration) {
	running.Lock()
	defer running.Unlock()
	running.ends[pid] = end
}

// forgetEnd must be called before a program is reaped, which frees its pid.
func forgetEnd(pid int) {
	running.Lock()
	defer running.Unlock()
	delete(running.ends, pid)
}

// sinceBoot returns the time since boot, which no change of the clock touches; 0 if the
// kernel does not say it.
func sinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
