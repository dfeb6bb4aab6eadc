package director

import (
	"fmt"
	"os/exec"
	"runtime"
	"strings"
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
	if n := byScheduling(t); n["0/0"] != 0 || n[urgent] == 0 {
		t.Errorf("threads: %v", n)
	}
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
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		n := byScheduling(t)
		if n["0/0"] == 0 && n[urgent] >= 20 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("threads: %v", n)
		}
	}
	u.over()
	u.over()
	if n := byScheduling(t); n[urgent] != 0 || n["0/0"] < 20 {
		t.Errorf("afterwards: %v", n)
	}
}
