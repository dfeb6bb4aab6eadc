package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/tools"
)

// A Process is a program that runs on a host. Its output goes to a file, because a
// daemon that logs to a slow terminal sends its adverts late.
type Process struct {
	Name string
	Log  string // path of the file with its output
	t    T
	host *Host
	cmd  *exec.Cmd
	done chan struct{}
	once sync.Once
}

// Start starts a program, found as [tools.Find] does unless it is a path.
func (h *Host) Start(program string, args ...string) *Process {
	h.lab.t.Helper()
	name := h.Name + "-" + filepath.Base(program)
	p, err := h.start(name, program, args)
	if err != nil {
		h.lab.t.Fatalf("host %s: start %s: %v", h.Name, program, err)
	}
	return p
}

func (h *Host) start(name, program string, args []string) (*Process, error) {
	path := program
	if !strings.Contains(program, "/") {
		found, err := tools.Find(program)
		if err != nil {
			return nil, err
		}
		path = found
	}
	// A second run of the same program on a host goes on in its log.
	log, err := os.OpenFile(filepath.Join(h.lab.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = h.lab.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := startInside(h.ns, cmd); err != nil {
		return nil, err
	}
	p := &Process{Name: name, Log: log.Name(), t: h.lab.t, host: h, cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.done)
	}()
	h.lab.mu.Lock()
	h.lab.processes = append(h.lab.processes, p)
	h.lab.mu.Unlock()
	return p, nil
}

// Run runs a program to its end and returns what it said. Failure ends the
// test.
func (h *Host) Run(program string, args ...string) string {
	h.lab.t.Helper()
	out, err := h.Try(program, args...)
	if err != nil {
		h.lab.t.Fatalf("host %s: %s %s: %v\n%s", h.Name, program, strings.Join(args, " "), err, out)
	}
	return out
}

// Try runs a program to its end and returns what it said on both outputs. An
// *exec.ExitError carries a status other than 0.
func (h *Host) Try(program string, args ...string) (string, error) {
	stdout, stderr, err := h.Output(program, args...)
	return stdout + stderr, err
}

// Output is like Try and keeps the outputs apart.
func (h *Host) Output(program string, args ...string) (stdout, stderr string, err error) {
	path := program
	if !strings.Contains(program, "/") {
		if path, err = tools.Find(program); err != nil {
			return "", "", err
		}
	}
	var out, errs bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := startInside(h.ns, cmd); err != nil {
		return "", "", err
	}
	err = cmd.Wait()
	return out.String(), errs.String(), err
}

// Pid is the process's number.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Alive reports whether the process has not ended yet.
func (p *Process) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal sends a signal to the process alone.
func (p *Process) Signal(signal syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatalf("%s: send %v: %v", p.Name, signal, err)
	}
}

// Wait waits for the end of the process and returns its exit status, -1 when a
// signal ended it.
func (p *Process) Wait(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(scaled(limit)):
		p.t.Fatalf("%s: still there after %v", p.Name, scaled(limit))
		return -1
	}
}

// Stop asks the process to end (SIGTERM), waits, and returns the exit status.
func (p *Process) Stop() int {
	p.t.Helper()
	p.Signal(unix.SIGTERM)
	return p.Wait(20 * time.Second)
}

// Crash kills the process and its descendants at the same moment. They are stopped
// first, so that none sees another die and cleans up.
func (p *Process) Crash() {
	p.once.Do(func() {
		if !p.Alive() {
			return
		}
		tree := []int{p.Pid()}
		for known := 0; known < len(tree); {
			known = len(tree)
			for _, pid := range tree {
				halt(p.t, pid)
			}
			tree = withChildren(tree)
		}
		for _, pid := range tree {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		<-p.done
		for _, pid := range tree {
			Wait(p.t, 5*time.Second, fmt.Sprintf("the end of process %d", pid), func() (string, bool) {
				return "it runs", !runs(pid)
			})
		}
	})
}

// PowerCut ends the host's daemons and cuts its wires at the same moment. A daemon
// that saw its wires go one by one could still send priority 0 over the last one.
func (h *Host) PowerCut() {
	h.lab.t.Helper()
	h.lab.mu.Lock()
	var mine []*Process
	for _, p := range h.lab.processes {
		if p.host == h && p.Alive() {
			mine = append(mine, p)
		}
	}
	h.lab.mu.Unlock()
	for _, p := range mine {
		halt(h.lab.t, p.Pid())
	}
	for _, w := range h.Wires {
		w.Cut()
	}
	for _, p := range mine {
		p.Crash()
	}
}

// PowerOn connects the host again. Its daemons are to be started anew.
func (h *Host) PowerOn() {
	h.lab.t.Helper()
	for _, w := range h.Wires {
		w.Replug()
	}
}

// halt stops a process and returns when each of its threads stands still. The kernel gives
// the signal to one thread, which may wait long for a processor while a real-time thread
// works on. It looks often: what follows is measured.
func halt(t T, pid int) {
	t.Helper()
	_ = unix.Kill(pid, unix.SIGSTOP) // it may have ended
	for end := time.Now().Add(scaled(5 * time.Second)); moves(pid); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d does not stand still", pid)
		}
	}
}

// moves reports whether a thread of a process is neither stopped nor at its end.
func moves(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid)) // the pattern is good
	return slices.ContainsFunc(threads, func(path string) bool {
		s := stateIn(path)
		return s != "T" && s != "t" && s != "Z" && s != "X"
	})
}

// runs reports whether a process is more than a zombie that its parent has not
// yet reaped.
func runs(pid int) bool {
	s := stateIn(fmt.Sprintf("/proc/%d/stat", pid))
	return s != "Z" && s != "X"
}

// stateIn returns the letter of a stat file of proc(5), "X" if there is none any more.
func stateIn(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "X"
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))[0]
}

// withChildren adds the descendants of the processes.
func withChildren(pids []int) []int {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return pids
	}
	parents := map[int]int{}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // has just ended
		}
		// pid (name) state parent …; the name may hold anything.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		pid, pidErr := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if len(fields) > 1 && pidErr == nil {
			if parents[pid], err = strconv.Atoi(fields[1]); err != nil {
				delete(parents, pid)
			}
		}
	}
	for grown := true; grown; {
		grown = false
		for pid, parent := range parents {
			if slices.Contains(pids, parent) && !slices.Contains(pids, pid) {
				pids = append(pids, pid)
				grown = true
			}
		}
	}
	return pids
}

// LogText is what the process has said so far.
func (p *Process) LogText() string {
	text, err := os.ReadFile(p.Log)
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	return string(text)
}
