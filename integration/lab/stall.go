package lab

import (
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A StallWatch notes for how long this machine, or the guest that we run in, stood
// still: a hypervisor or another program had its processors. No program in it ran then.
type StallWatch struct {
	longest atomic.Int64
	ended   atomic.Bool
}

// stallLook is how long the thread sleeps that should run at once after that.
const stallLook = 10 * time.Millisecond

// WatchStalls begins to watch. Without the right to real-time scheduling it also counts
// what programs of the same machine take from each other.
func WatchStalls() *StallWatch {
	w := &StallWatch{}
	go w.run()
	return w
}

func (w *StallWatch) run() {
	runtime.LockOSThread() // and the thread ends with the goroutine
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: 20}, 0)
	pause := unix.NsecToTimespec(int64(stallLook))
	for before := time.Now(); !w.ended.Load(); {
		_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &pause, nil)
		now := time.Now()
		if late := now.Sub(before) - stallLook; int64(late) > w.longest.Load() {
			w.longest.Store(int64(late))
		}
		before = now
	}
}

// Longest is the longest stall since the watch began.
func (w *StallWatch) Longest() time.Duration {
	return time.Duration(w.longest.Load()).Round(time.Millisecond)
}

// Stop ends the watch.
func (w *StallWatch) Stop() { w.ended.Store(true) }
