package director

import (
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/tools"
)

// byScheduling counts the threads of the process by how they are scheduled.
func byScheduling(t *testing.T) map[string]int {
	t.Helper()
	n := map[string]int{}
	eachThread(func(id int) {
		if attr, err := unix.SchedGetAttr(id, 0); err == nil {
			n[fmt.Sprintf("%d/%d", attr.Policy, attr.Priority)]++
		}
	})
	return n
}

// All threads are boosted, and each gets its former scheduling back.
func TestBoostThreads(t *testing.T) {
	tools.Root(t, "set real-time scheduling")
	// "2" is round-robin.
	normal, real, boosted := "0/0", fmt.Sprintf("2/%d", realtimePriority), fmt.Sprintf("2/%d", boostPriority)
	ready, done := make(chan error), make(chan struct{})
	defer close(done)
	go func() {
		ready <- goRealtime()
		<-done // the thread ends with this
	}()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	usual, restore := boostThreads()
	if n := byScheduling(t); usual.Policy != unix.SCHED_NORMAL || n[boosted] < 2 {
		t.Errorf("in a hurry: %v; usually %+v", n, usual)
	}
	restore()
	if n := byScheduling(t); n[boosted] != 0 || n[real] == 0 || n[normal] == 0 {
		t.Errorf("after it: %v", n)
	}

	// The next program begins with one thread in a hurry.
	if err := unix.SchedSetAttr(0, realtime(boostPriority), 0); err != nil {
		t.Fatal(err)
	}
	unboostThreads(usual)
	if n := byScheduling(t); n[boosted] != 0 || n[real] == 0 || n[normal] == 0 {
		t.Errorf("settled: %v", n)
	}
}

// In an urgency all threads have real-time scheduling, those that come later too, and
// afterwards what they had. Programs that are started do not get it.
func TestUrgency(t *testing.T) {
	tools.Root(t, "set real-time scheduling")
	b, _ := alone(t)
	var u urgency
	u.over() // which has not begun
	if err := u.begin(b.spawn); err != nil {
		t.Fatal(err)
	}
	urgent := fmt.Sprintf("2/%d", urgentPriority)
	allUrgent(t, urgent, 1)
	if said, err := exec.Command("cat", "/proc/self/stat").Output(); err != nil || strings.Fields(string(said))[40] != "0" {
		t.Errorf("a program has the scheduling %q (%v)", said, err)
	}
	for range 20 { // threads of their own
		done := make(chan struct{})
		defer close(done)
		go func() {
			runtime.LockOSThread()
			<-done
		}()
	}
	allUrgent(t, urgent, 20)
	u.over()
	u.over()
	if n := byScheduling(t); n[urgent] != 0 || n["0/0"] < 20 {
		t.Errorf("afterwards: %v", n)
	}
}

// allUrgent waits until all threads are urgent, and at least so many. Go may start one at any
// moment, which is normal until the urgency looks for new threads again.
func allUrgent(t *testing.T, urgent string, atLeast int) {
	t.Helper()
	tools.Await(t, "all threads to be urgent", func() (any, bool) {
		n := byScheduling(t)
		return n, n["0/0"] == 0 && n[urgent] >= atLeast
	})
}

// The loop runs again at once after a system call, even if as many other goroutines as
// there are processors do not get one, because the machine is busy.
func TestLoopNeedsNoOthers(t *testing.T) {
	tools.Root(t, "set real-time scheduling")
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU()))
	spareOnce = sync.Once{}
	for range runtime.NumCPU() {
		hog := exec.Command("sh", "-c", "while :; do :; done")
		if err := hog.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = hog.Process.Kill() // and Wait says so
			_ = hog.Wait()
		}()
	}
	var stop atomic.Bool
	var all sync.WaitGroup
	defer all.Wait()
	defer stop.Store(true)
	worst := make(chan time.Duration, 1)
	go func() {
		defer stop.Store(true)
		if err := goRealtime(); err != nil { // its thread ends with it
			t.Error(err)
		}
		for range runtime.NumCPU() {
			all.Go(func() { starve(&stop) })
		}
		best := lateness(200)
		for range 2 { // the machine itself may stand still for a moment
			best = min(best, lateness(200))
		}
		worst <- best
	}()
	if late := <-worst; late > 20*time.Millisecond {
		t.Errorf("the loop was %v late", late)
	}
}

// starve runs Go code on a thread that gets a processor when nobody else wants one.
func starve(stop *atomic.Bool) {
	runtime.LockOSThread() // and the thread ends with the goroutine
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Nice: 19}, 0)
	for !stop.Load() {
		continue
	}
}

// lateness returns by how much the longest of some waits of a millisecond was too long.
func lateness(waits int) (worst time.Duration) {
	pause := unix.NsecToTimespec(int64(time.Millisecond))
	for range waits {
		began := time.Now()
		_ = unix.Nanosleep(&pause, nil)
		worst = max(worst, time.Since(began)-time.Millisecond)
	}
	return worst
}
