package main

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
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

// forgetStart returns memory that only the start needed to the kernel: the heap that is
// free now, and the pages of the binary that the initialization of its packages touched.
func forgetStart() {
	debug.FreeOSMemory()
	unmapBinary()
}

// unmapBinary drops the binary's code and constants from the page tables of the process.
// They stay in the page cache, and what still runs is back after one minor fault for each
// 64 KB (fault_around_bytes). Such faults are also why nearly the whole binary is resident
// after a start: the initialization of each package touches a page, and the kernel maps its
// 16 neighbours with it. Nothing depends on this, so errors do not matter.
func unmapBinary() {
	name, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	mappings, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	for _, r := range constants(string(mappings), name) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, r.start, r.end-r.start, unix.MADV_DONTNEED)
	}
}

// An addressRange is part of the address space of the process.
type addressRange struct{ start, end uintptr }

// constants returns the mappings of the file in the text of /proc/PID/smaps that cannot be
// written and have no page of their own. A debugger or a uprobe makes such pages for its
// breakpoints, which would be lost with them.
func constants(smaps, file string) (found []addressRange) {
	var candidate *addressRange
	for line := range strings.Lines(smaps) {
		f := strings.Fields(line)
		switch {
		case len(f) == 3 && f[0] == "Anonymous:":
			if candidate != nil && f[1] == "0" {
				found = append(found, *candidate)
			}
			candidate = nil
		case len(f) >= 6 && strings.HasSuffix(strings.TrimRight(line, "\n"), " "+file) && strings.HasPrefix(f[1], "r-"):
			candidate = parseRange(f[0])
		}
	}
	return found
}

// parseRange reads START-END in hexadecimal digits, or returns nil.
func parseRange(text string) *addressRange {
	from, to, _ := strings.Cut(text, "-")
	start, err := strconv.ParseUint(from, 16, 64)
	if err != nil {
		return nil
	}
	end, err := strconv.ParseUint(to, 16, 64)
	if err != nil {
		return nil
	}
	return &addressRange{uintptr(start), uintptr(end)}
}
