package lab

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A Usage is what a process and its descendants take of the machine.
type Usage struct {
	CPU time.Duration // on a processor since the start, all threads
	RSS int64         // bytes of memory, shared pages counted for each process
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
		rss, err := residentBytes(pid)
		if err != nil {
			return sum, err
		}
		sum.RSS += rss
	}
	return sum, nil
}

func residentBytes(pid int) (int64, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if size, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			kilobytes, err := strconv.ParseInt(strings.Fields(size)[0], 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("read the memory of process %d: it has ended", pid)
}
