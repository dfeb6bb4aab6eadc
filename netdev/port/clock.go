package port

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A clock translates Go's times into those of CLOCK_MONOTONIC. Both are one clock, which
// Go counts from another moment, so what lies between them stays the same. Neither counts
// while the machine is suspended.
type clock struct {
	at       time.Time
	nanotime int64 // of CLOCK_MONOTONIC at that moment
}

// newClock compares the two. Something else may run between two readings, so the closest
// of some counts.
func newClock() clock {
	var best clock
	closest := int64(0)
	for i := range 8 {
		before := monotonic()
		at := time.Now()
		if apart := monotonic() - before; i == 0 || apart < closest {
			best, closest = clock{at, before + apart/2}, apart
		}
	}
	return best
}

func (c *clock) monotonic(t time.Time) int64 { return c.nanotime + int64(t.Sub(c.at)) }

func (c *clock) time(monotonic int64) time.Time {
	return c.at.Add(time.Duration(monotonic - c.nanotime))
}

// monotonic returns CLOCK_MONOTONIC in nanoseconds.
//
//go:nosplit
//go:norace
func monotonic() int64 { return gettime(unix.CLOCK_MONOTONIC) }

// realtime returns CLOCK_REALTIME in nanoseconds.
//
//go:nosplit
//go:norace
func realtime() int64 { return gettime(unix.CLOCK_REALTIME) }

//go:nosplit
//go:norace
func gettime(clock uintptr) int64 {
	var t [2]int64 // struct timespec of 64-bit systems
	// A raw system call, because it does not block.
	_, _, _ = unix.RawSyscall(unix.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&t)), 0)
	return t[0]*1e9 + t[1]
}
