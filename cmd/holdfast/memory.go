package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"
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

// calm is how long after the start the memory that only the start needed is
// returned to the kernel.
const calm = 2 * time.Second

// forgetStart returns the memory that only the start needed to the kernel: the heap, and
// the code, of which the parts that run again come back from the page cache.
func forgetStart() {
	debug.FreeOSMemory()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return // it is held as it was
	}
	program, _ := os.Readlink("/proc/self/exe")
	for line := range strings.Lines(string(maps)) {
		if from, size, ok := codeOf(program, line); ok {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, size, unix.MADV_DONTNEED)
		}
	}
}

// codeOf returns where a line of /proc/self/maps has the code of a program, which nobody
// writes to.
func codeOf(program, line string) (from, size uintptr, ok bool) {
	var to uintptr
	var access string
	if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &access); n != 3 || access != "r-xp" {
		return 0, 0, false
	}
	return from, to - from, program != "" && strings.HasSuffix(strings.TrimSpace(line), " "+program)
}
