package director

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// realtimePriority is low among the real-time priorities: above everything that is
// not real-time, and below the kernel's own threads, which have 50.
const realtimePriority = 10

// boostPriority is that of threads in a hurry, by which they are known.
const boostPriority = realtimePriority - 1

// orderPriority is that of the thread that carries out the VRRP loop's orders. Adverts
// go before them, and an upgrade does too.
const orderPriority = boostPriority - 1

// urgentPriority is that of the other threads during an urgency.
const urgentPriority = orderPriority - 1

// realtime is round-robin scheduling. Threads and programs started from a thread
// that has it are normal again.
func realtime(priority uint32) *unix.SchedAttr {
	return &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR,
		Flags: unix.SCHED_FLAG_RESET_ON_FORK, Priority: priority,
	}
}

// goRealtime locks the calling goroutine to its thread and gives the thread
// round-robin real-time scheduling, so that adverts are on time on a machine
// that is busy with other things.
func goRealtime() error {
	spareOnce.Do(spare)
	return goRealtimeAt(realtimePriority)
}

// spareProcessors is how many more threads may run Go code than there are processors.
//
// Whoever returns from a system call needs the right to run Go code, and Go gives it to as
// many threads as there are processors. Threads that answer a scrape or make a page hold
// it while they wait, on a busy machine, for a processor. The VRRP loop would wait for
// them, whatever the priority of its thread: runtime.exitsyscall finds no idle P.
const spareProcessors = 2

var spareOnce sync.Once

// spare adds the spare processors, unless the environment says how many there are. From
// then on Go does not follow a changed CPU quota: what was there at the start counts.
func spare() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + spareProcessors)
	}
}

func goRealtimeAt(priority uint32) error {
	runtime.LockOSThread()
	if err := unix.SchedSetAttr(0, realtime(priority), 0); err != nil {
		return fmt.Errorf("set real-time scheduling (needs CAP_SYS_NICE or LimitRTPRIO): %w", err)
	}
	return nil
}

// boostThreads gives all threads real-time scheduling, and returns what the calling one
// had and how to give it back to all. An exec waits until the other threads have
// ended, for which each of them needs a processor; the calling thread is the
// first of the next program, which begins with its scheduling.
func boostThreads() (usual unix.SchedAttr, restore func()) {
	had := map[int]*unix.SchedAttr{}
	if attr, err := unix.SchedGetAttr(0, 0); err == nil {
		usual = *attr
	}
	eachThread(func(id int) {
		attr, err := unix.SchedGetAttr(id, 0)
		if err == nil && unix.SchedSetAttr(id, realtime(boostPriority), 0) == nil {
			had[id] = attr
		}
	})
	return usual, func() {
		for id, attr := range had {
			_ = unix.SchedSetAttr(id, attr, 0) // a thread may have ended
		}
	}
}

// unboostThreads gives the threads of a program that another one has run in a hurry their
// usual scheduling, but for those that have asked for real time themselves.
func unboostThreads(usual unix.SchedAttr) {
	usual.Size = unix.SizeofSchedAttr
	eachThread(func(id int) {
		attr, err := unix.SchedGetAttr(id, 0)
		if err == nil && (attr.Policy != unix.SCHED_RR || attr.Priority == boostPriority) {
			_ = unix.SchedSetAttr(id, &usual, 0) // what may not be set was not changed
		}
	})
}

func eachThread(do func(id int)) {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	for _, t := range threads {
		if id, err := strconv.Atoi(t.Name()); err == nil {
			do(id)
		}
	}
}

// An urgency gives all threads of the process real-time scheduling while the VRRP loop
// must not be late even by some milliseconds. For the loop's own thread alone that is
// not enough: Go's scheduler now and then has the loop wait until another thread hands
// it the right to run, for every garbage collection and whenever its monitor finds that
// the loop has run for 10 ms (runtime.retake). Without real-time priority that other
// thread waits until the programs on a busy machine have used up their time: 10 to 30 ms
// with Linux 6.18.
type urgency struct {
	usual unix.SchedAttr
	end   chan struct{} // nil: it is over
}

// newThreads is how often threads are looked for that Go has started meanwhile. They
// begin with the usual scheduling.
const newThreads = 250 * time.Millisecond

// begin begins an urgency.
func (u *urgency) begin(spawn func(func())) error {
	usual, err := unix.SchedGetAttr(0, 0)
	if err == nil {
		err = unix.SchedSetAttr(0, realtime(urgentPriority), 0)
	}
	if err != nil {
		return fmt.Errorf("set real-time scheduling for all threads (needs CAP_SYS_NICE or LimitRTPRIO): %w", err)
	}
	end := make(chan struct{})
	u.usual, u.end = *usual, end
	boostNormal()
	spawn(func() {
		ticker := time.NewTicker(newThreads)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				boostNormal()
			case <-end:
				return
			}
		}
	})
	return nil
}

// boostNormal gives the threads that have no real-time scheduling that of an urgency.
func boostNormal() {
	eachThread(func(id int) {
		if attr, err := unix.SchedGetAttr(id, 0); err == nil && attr.Policy == unix.SCHED_NORMAL {
			_ = unix.SchedSetAttr(id, realtime(urgentPriority), 0) // the thread may have ended
		}
	})
}

// over ends an urgency.
func (u *urgency) over() {
	if u.end == nil {
		return
	}
	close(u.end)
	u.end = nil
	eachThread(func(id int) {
		if attr, err := unix.SchedGetAttr(id, 0); err == nil && attr.Policy == unix.SCHED_RR && attr.Priority == urgentPriority {
			_ = unix.SchedSetAttr(id, &u.usual, 0) // the thread may have ended
		}
	})
}
