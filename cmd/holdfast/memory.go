package main

import (
	"os"
	"runtime/debug"
	"time"
)

// Values of GOGC. At the start most allocations stay in use, so collecting often
// costs time and frees little. Later the heap is small and memory matters more.
const (
	whileStarting = 400
	whileRunning  = 50
)

// collectGarbage sets GOGC to percent, unless the environment sets it.
func collectGarbage(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// calm is how long after the start the memory that only the start needed is
// returned to the kernel.
const calm = 2 * time.Second

// forgetStart returns the heap that only the start needed to the kernel.
func forgetStart() { debug.FreeOSMemory() }
