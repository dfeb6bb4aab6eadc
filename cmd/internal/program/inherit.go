package program

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// endGrace is how long an inherited program has to end after SIGTERM.
const endGrace = 2 * time.Second

// Inherit takes over the child processes of the binary that ran in this process
// before an upgrade, and reaps them. A child for whose environment orphan returns
// true is killed with its whole process group: nobody waits for its result any
// more. A child whose environment cannot be read is not killed. One that is in ends, which
// is what [Ends] returned in that binary, is ended with its group at that time, by SIGTERM
// at first. Those in watched are left to whoever calls [Inherited] for them. Inherit must
// be called before this binary starts programs.
func Inherit(ends map[int]time.Duration, watched []int, orphan func(env []string) bool) error {
	pids, err := children()
	if err != nil {
		return fmt.Errorf("look for child processes of the previous binary: %w", err)
	}
	for _, pid := range pids {
		if slices.Contains(watched, pid) {
			continue
		}
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err == nil && orphan(strings.Split(string(env), "\x00")) {
			_ = unix.Kill(-pid, unix.SIGKILL) // it leads its group, and its pid is in use until it is reaped
		}
		if end, ok := ends[pid]; ok {
			setEnd(pid, end) // for the next upgrade
			go func() { endInTime(pid, end-sinceBoot()); reap(pid) }()
		} else {
			go reap(pid)
		}
	}
	return nil
}

// Inherited returns a child process of the binary that ran in this process before an
// upgrade, as what Start returned there. end is its End in that binary. The caller must
// call Wait. It is an error if pid is no child of this process.
func Inherited(pid int, end time.Duration) (*Process, error) {
	if parent(pid) != os.Getpid() {
		return nil, fmt.Errorf("process %d is not a child of this process", pid)
	}
	child, err := os.FindProcess(pid)
	if err != nil {
		return nil, err
	}
	p := newProcess(pid, func() (*os.ProcessState, error) {
		state, err := child.Wait()
		if err == nil && !state.Success() {
			err = &exec.ExitError{ProcessState: state}
		}
		return state, err
	})
	p.end = end
	if end != 0 {
		setEnd(pid, end) // for the next upgrade
	}
	return p, nil
}

// reap waits for the end of a child, and frees its pid.
func reap(pid int) {
	awaitExit(pid)
	forgetEnd(pid)
	for {
		if _, err := syscall.Wait4(pid, nil, 0, nil); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// endInTime returns when a child has ended, and ends it when its time is over.
func endInTime(pid int, left time.Duration) {
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		awaitExit(pid)
	}()
	select {
	case <-exited:
		return
	case <-time.After(left):
	}
	_ = unix.Kill(-pid, unix.SIGTERM)
	select {
	case <-exited:
	case <-time.After(endGrace):
	}
	_ = unix.Kill(-pid, unix.SIGKILL)
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
