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
// the code and constants, which come back from the page cache when they are used again.
func forgetStart() {
	debug.FreeOSMemory()
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return // it is held as it was
	}
	program, _ := os.Readlink("/proc/self/exe")
	for _, p := range programParts(program, string(maps)) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, p.from, p.size, unix.MADV_DONTNEED)
	}
}

// A memoryPart is a part of the address space.
type memoryPart struct{ from, size uintptr }

// programParts returns what /proc/self/smaps has of a program as it is in its file: nobody
// can write to it, and no page of it was written to before, as the loader does to relocate
// (Anonymous: 0).
func programParts(program, smaps string) (parts []memoryPart) {
	var part memoryPart
	for line := range strings.Lines(smaps) {
		line = strings.TrimSpace(line)
		var from, to uintptr
		var access string
		switch n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &access); {
		case n == 3:
			part = memoryPart{from: from}
			if program != "" && strings.HasSuffix(line, " "+program) && (access == "r-xp" || access == "r--p") {
				part.size = to - from
			}
		case strings.HasPrefix(line, "Anonymous:") && strings.Fields(line)[1] == "0" && part.size > 0:
			parts = append(parts, part)
		}
	}
	return parts
}
