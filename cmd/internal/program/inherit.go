package program

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Inherit takes over the child processes of the binary that ran in this process
// before an upgrade, and reaps them. A child for whose environment orphan returns
// true is killed with its whole process group: nobody waits for its result any
// more. A child whose environment cannot be read is not killed. Inherit must be
// called before this binary starts programs.
func Inherit(orphan func(env []string) bool) error {
	pids, err := children()
	if err != nil {
		return fmt.Errorf("look for child processes of the previous binary: %w", err)
	}
	for _, pid := range pids {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err == nil && orphan(strings.Split(string(env), "\x00")) {
			_ = unix.Kill(-pid, unix.SIGKILL) // it leads its group, and its pid is in use until it is reaped
		}
		go func() {
			for {
				if _, err := syscall.Wait4(pid, nil, 0, nil); !errors.Is(err, unix.EINTR) {
					return
				}
			}
		}()
	}
	return nil
}

// children returns the pids of this process's children, sorted.
func children() ([]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && parent(pid) == os.Getpid() {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, nil
}

// parent returns the pid of a process's parent, 0 if there is no such process.
func parent(pid int) int {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// "pid (comm) state parent ...": comm itself may contain parentheses and spaces.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(string(fields[1]))
	return n
}
