package main

import (
	"os"
	"runtime/debug"
	"time"
)

// Values of GOGC. At the start most allocations stay in use, so collecting often
// costs time and frees little. Later little garbage is made, and memory matters more.
const (
	whileStarting = 400
	whileRunning  = 20
)

// collectGarbage sets GOGC to percent, unless the environment sets it.
func collectGarbage(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// busy collects as at the start until end is called: a reload makes as much garbage as the
// start, and would spend a third of its time on collecting it.
func busy() (end func()) {
	collectGarbage(whileStarting)
	return calmDown
}

// calmDown is called at the end of the start and of each reload.
func calmDown() {
	collectGarbage(whileRunning)
	time.AfterFunc(calm, debug.FreeOSMemory)
	time.AfterFunc(settled, debug.FreeOSMemory)
}

// How long after the start, or a reload, the memory that only it needed is returned to
// the kernel. Ten thousand first verdicts need as much as the start itself, and come
// within seconds.
const (
	calm    = 2 * time.Second
	settled = 10 * time.Second
)
