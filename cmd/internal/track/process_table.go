package track

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// A processTable has the processes that ran when it was read. Trackers share it, so
// that a look at /proc costs the same for one tracker and for thousands. Its methods may
// be called by several goroutines at once.
type processTable struct {
	byComm map[string][]*processEntry
}

// A processEntry is a process that runs.
type processEntry struct {
	pid  int
	comm string
	dir  string // in /proc

	once    sync.Once
	cmdline []string
}

// readProcesses reads a directory like /proc.
func readProcesses(proc string) (*processTable, error) {
	dir, err := os.Open(proc)
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	t := &processTable{byComm: make(map[string][]*processEntry, len(names))}
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if e := readProcess(proc, pid); e != nil {
				t.byComm[e.comm] = append(t.byComm[e.comm], e)
			}
		}
	}
	return t, nil
}

// readProcess reads a process, or returns nil if it does not run: it has ended, or it is a
// zombie.
func readProcess(proc string, pid int) *processEntry {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	// "pid (comm) state ...": comm itself may contain parentheses and spaces.
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	open, shut := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if err != nil || open < 0 || shut < open || len(stat) < shut+3 {
		return nil
	}
	if state := stat[shut+2]; state == 'Z' || state == 'X' {
		return nil
	}
	return &processEntry{pid: pid, comm: string(stat[open+1 : shut]), dir: dir}
}

// words returns the words of the command line, which is read when a tracker first asks
// for it. A thread of the kernel has none, nor has a process that has ended.
func (e *processEntry) words() []string {
	e.once.Do(func() {
		line, err := os.ReadFile(filepath.Join(e.dir, "cmdline"))
		if err == nil && len(line) > 0 {
			e.cmdline = strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
		}
	})
	return e.cmdline
}

// find returns the processes that are p.
func (t *processTable) find(p *Process) map[int]bool {
	pids := map[int]bool{}
	add := func(entries []*processEntry) {
		for _, e := range entries {
			if p.matches(e) {
				pids[e.pid] = true
			}
		}
	}
	if !strings.HasPrefix(p.Name, "/") {
		add(t.byComm[p.comm()])
		return pids
	}
	for _, entries := range t.byComm {
		add(entries)
	}
	return pids
}
