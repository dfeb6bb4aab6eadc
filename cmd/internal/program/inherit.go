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

// Inherit takes over the programs that the binary started which ran in this
// process before: nobody else would reap them. Those of whose environment orphan
// says that nobody waits for them any more are killed, each with its whole
// process group; where it cannot be read, they are not. It is called before
// anything else is started.
func Inherit(orphan func(env []string) bool) error {
	pids, err := children()
	if err != nil {
		return fmt.Errorf("look for what the former binary started: %w", err)
	}
	for _, pid := range pids {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err == nil && orphan(strings.Split(string(env), "\x00")) {
			_ = unix.Kill(-pid, unix.SIGKILL) // it leads its group, and is not reaped yet
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

// children returns the processes whose parent this one is.
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

// parent returns the parent of a process, 0 if there is no such process.
func parent(pid int) int {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// "pid (comm) state parent ...": comm may itself hold parentheses and blanks.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(string(fields[1]))
	return n
}
