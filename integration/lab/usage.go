package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Usage is what a process and its descendants take of the machine.
type Usage struct {
	CPU time.Duration // on a processor since the start, all threads
	RSS int64         // bytes of memory, shared pages counted for each process
	// Anon are those bytes of RSS that the kernel cannot drop: all but the pages of the
	// program's file.
	Anon int64
}

// Usage reads it from the kernel: nanoseconds of running time, not ticks.
func (p *Process) Usage() (Usage, error) {
	var sum Usage
	for _, pid := range withChildren([]int{p.Pid()}) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil {
			return sum, err
		}
		for _, path := range threads {
			text, err := os.ReadFile(path)
			if err != nil {
				continue // the thread has ended
			}
			first, _, _ := strings.Cut(string(text), " ")
			ns, err := strconv.ParseInt(first, 10, 64)
			if err != nil {
				return sum, fmt.Errorf("read %s: %w", path, err)
			}
			sum.CPU += time.Duration(ns)
		}
		rss, anon, err := residentBytes(pid)
		if err != nil {
			return sum, err
		}
		sum.RSS += rss
		sum.Anon += anon
	}
	return sum, nil
}

// residentBytes returns the memory of a process, all of it and the anonymous part.
func residentBytes(pid int) (rss, anon int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		switch fields := strings.Fields(line); fields[0] {
		case "VmRSS:":
			rss, err = strconv.ParseInt(fields[1], 10, 64)
		case "RssAnon:":
			anon, err = strconv.ParseInt(fields[1], 10, 64)
		}
		if err != nil {
			return 0, 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
		}
	}
	if rss == 0 {
		return 0, 0, fmt.Errorf("read the memory of process %d: it has ended", pid)
	}
	return rss << 10, anon << 10, nil
}

// Scheduling lists the ways in which the kernel schedules the threads of the
// process and its descendants, each once: "other", "nice -10", "rr 50", "fifo 1".
func (p *Process) Scheduling() ([]string, error) {
	var ways []string
	for _, pid := range withChildren([]int{p.Pid()}) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		if err != nil {
			return nil, err
		}
		for _, path := range threads {
			thread, err := strconv.Atoi(filepath.Base(path))
			if err != nil {
				return nil, fmt.Errorf("thread %s: %w", path, err)
			}
			attr, err := unix.SchedGetAttr(thread, 0)
			if err != nil {
				continue // the thread has ended
			}
			if way := schedulingName(attr); !slices.Contains(ways, way) {
				ways = append(ways, way)
			}
		}
	}
	slices.Sort(ways)
	return ways, nil
}

func schedulingName(attr *unix.SchedAttr) string {
	switch {
	case attr.Policy == unix.SCHED_RR:
		return fmt.Sprintf("rr %d", attr.Priority)
	case attr.Policy == unix.SCHED_FIFO:
		return fmt.Sprintf("fifo %d", attr.Priority)
	case attr.Nice != 0:
		return fmt.Sprintf("nice %d", attr.Nice)
	default:
		return "other"
	}
}
