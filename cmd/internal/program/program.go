// Package program runs programs of the administrator: scripts that hear of
// changes, look at something, or read what the daemon writes.
//
// A program runs without a shell, in the directory /, with standard input from
// /dev/null, in a process group of its own, as a user who may be another than
// the daemon's, without what spares the daemon when memory runs out, and only if nobody could have written it who has no right to
// act as that user: see [Program.Check].
package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// outputLag is how long output is copied to a writer that is no file once the
// program itself has ended: something it started may hold the pipe for ever.
const outputLag = 250 * time.Millisecond

// Path is the search path of programs: the daemon's own is whoever started it's.
const Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// A Program is what to run and as whom.
type Program struct {
	// Argv is the absolute path and the arguments. No shell looks at it.
	Argv []string
	// User and Group are names or numbers. "" is the daemon's user, and the
	// group that the user has.
	User, Group string
}

// A Process is a program that was started.
type Process struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

// Start starts the program with further arguments and the whole environment,
// and both its outputs on out. The caller must call Wait. With bound, the kernel
// kills the program's leader when the calling thread ends: the caller must have
// locked itself to its thread until Wait has returned.
func (p *Program) Start(env []string, out io.Writer, bound bool, args ...string) (*Process, error) {
	credential, err := p.credential()
	if err != nil {
		return nil, err
	}
	attr := &syscall.SysProcAttr{Setpgid: true, Credential: credential}
	if bound {
		attr.Pdeathsig = unix.SIGKILL
	}
	for try := 1; ; try++ {
		cmd := exec.Command(p.Argv[0], append(p.Argv[1:len(p.Argv):len(p.Argv)], args...)...)
		cmd.Dir, cmd.Env = "/", env
		cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, out, outputLag
		cmd.SysProcAttr = attr
		err := cmd.Start()
		// Whoever just wrote the script may hold it open still, or a process
		// forked meanwhile holds a copy of that descriptor until its exec.
		if errors.Is(err, syscall.ETXTBSY) && try < 5 {
			time.Sleep(time.Duration(try) * 20 * time.Millisecond)
			continue
		}
		if err != nil {
			return nil, err
		}
		expose(cmd.Process.Pid)
		run := &Process{cmd: cmd, exited: make(chan struct{})}
		go func() {
			defer close(run.exited)
			awaitExit(cmd.Process.Pid)
		}()
		return run, nil
	}
}

// spared tells whether this process is spared when memory runs out.
var spared = sync.OnceValue(func() bool {
	score, err := os.ReadFile("/proc/self/oom_score_adj")
	return err == nil && bytes.HasPrefix(score, []byte("-"))
})

// expose takes from a process what it inherited of that: a script that eats all
// memory shall be what the kernel kills. What fails costs no more than that.
func expose(pid int) {
	if spared() {
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("0"), 0)
	}
}

// awaitExit returns when the process has ended, without reaping it.
func awaitExit(pid int) {
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
}

// Exited is closed when the program itself has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Signal sends a signal to the program and all that it started and that did not
// leave its process group. It must not be called after Wait: until then the
// leader is not reaped, and the group's number cannot be anybody else's.
func (p *Process) Signal(s syscall.Signal) { _ = unix.Kill(-p.cmd.Process.Pid, s) }

// Wait waits for the end of the program and returns its exit status, -1 if a
// signal ended it. The text of an error is "exit status 3" or "signal: killed".
// That something it started lives on is none.
func (p *Process) Wait() (int, error) {
	<-p.exited
	err := p.cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	return p.cmd.ProcessState.ExitCode(), err
}

// Run runs the program to its end. When ctx ends before, its whole process group
// is killed, and the error is ctx's.
func (p *Program) Run(ctx context.Context, env []string, out io.Writer) error {
	run, err := p.Start(env, out, false)
	if err != nil {
		return err
	}
	var ended error
	select {
	case <-run.exited:
	case <-ctx.Done():
		run.Signal(unix.SIGKILL)
		ended = ctx.Err()
	}
	if _, err = run.Wait(); ended != nil {
		return ended
	}
	return err
}
