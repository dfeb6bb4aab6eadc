package director

import (
	"fmt"
	"runtime"
	"testing"

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
