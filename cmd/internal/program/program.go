// Package program runs the administrator's programs: notify scripts, track and
// check scripts, and programs that read the daemon's events.
//
// A program runs without a shell, in the directory / and in a process group of
// its own. Its standard input is /dev/null unless [Program.RunWith] or
// [Program.StartWith] gives another. It may run as another user than the
// daemon, and it does not inherit the daemon's protection from the kernel's OOM
// killer. [Program.Check] tells whether a program is safe to run as its user.
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

// outputLag is how long output is still copied after the program itself has
// ended, if it goes to a writer that is not a file. A process that the program
// started may hold the pipe open for ever.
const outputLag = 250 * time.Millisecond

// Path is the PATH of programs. The daemon's own PATH is not passed on, because it
// depends on who started the daemon.
const Path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// A Program says what to run and as which user.
type Program struct {
	// Argv is the absolute path and the arguments. No shell interprets it.
	Argv []string `json:"argv"`
	// User is a name or a number; "" is the daemon's user.
	User string `json:"user,omitempty"`
	// Group is a name or a number; "" is User's primary group.
	Group string `json:"group,omitempty"`
	// Errors is where the standard error goes; nil: where the standard output goes.
	Errors io.Writer `json:"-"`
	// Limit is for how long the caller of Start lets the program run; 0: no matter. Start
	// does not end it. The binary after an upgrade does: see [Ends].
	Limit time.Duration `json:"-"`
}

// A Process is a program that this binary has started, or the one before it: see
// [Inherited].
type Process struct {
	pid    int
	exited chan struct{}
	end    time.Duration // since boot; 0: no matter
	reap   func() (*os.ProcessState, error)
}

func newProcess(pid int, reap func() (*os.ProcessState, error)) *Process {
	p := &Process{pid: pid, exited: make(chan struct{}), reap: reap}
	go func() {
		defer close(p.exited)
		awaitExit(pid)
	}()
	return p
}

// Start starts the program with the arguments args after those of Argv. env is
// its whole environment. Standard output goes to out, and so does standard error
// unless Errors is set. The caller must call Wait.
//
// With bound, the kernel kills the program itself, not the processes that it
// started, when the calling thread ends. The caller must then stay locked to its
// thread until Wait has returned (prctl(2), PR_SET_PDEATHSIG).
func (p *Program) Start(env []string, out io.Writer, bound bool, args ...string) (*Process, error) {
	return p.limited(p.start(env, nil, out, bound, args...))
}

// StartWith is Start with a standard input, not bound; nil is /dev/null.
func (p *Program) StartWith(env []string, in *os.File, out io.Writer) (*Process, error) {
	return p.limited(p.start(env, in, out, false))
}

// limited notes the limit of a program that was just started.
func (p *Program) limited(run *Process, err error) (*Process, error) {
	if err == nil && p.Limit > 0 {
		run.end = noteEnd(run.pid, p.Limit)
	}
	return run, err
}

// start is Start with a standard input; nil is /dev/null.
func (p *Program) start(env []string, in *os.File, out io.Writer, bound bool, args ...string) (*Process, error) {
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
		cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, p.errors(out), outputLag
		if in != nil {
			cmd.Stdin = in
		}
		cmd.SysProcAttr = attr
		err := cmd.Start()
		// A program that has just written the script may still have it open, or
		// a process forked meanwhile has a copy of that descriptor until its exec.
		if errors.Is(err, syscall.ETXTBSY) && try < 5 {
			time.Sleep(time.Duration(try) * 20 * time.Millisecond)
			continue
		}
		if err != nil {
			return nil, err
		}
		expose(cmd.Process.Pid)
		return newProcess(cmd.Process.Pid, func() (*os.ProcessState, error) {
			err := cmd.Wait()
			if errors.Is(err, exec.ErrWaitDelay) {
				err = nil
			}
			return cmd.ProcessState, err
		}), nil
	}
}

// errors returns where the standard error goes.
func (p *Program) errors(out io.Writer) io.Writer {
	if p.Errors == nil {
		return out
	}
	return p.Errors
}

// spared reports whether this process is protected from the OOM killer
// (proc_pid_oom_score_adj(5)).
var spared = sync.OnceValue(func() bool {
	score, err := os.ReadFile("/proc/self/oom_score_adj")
	return err == nil && bytes.HasPrefix(score, []byte("-"))
})

// expose removes the inherited protection from a program, so that the kernel kills
// a script that uses up all memory, not the daemon. If that fails, the program
// runs protected.
func expose(pid int) {
	if spared() {
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("0"), 0)
	}
}

// awaitExit returns when the process has ended. It does not reap it.
func awaitExit(pid int) {
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
}

// PID returns the number of the program's process, which is that of its group too.
func (p *Process) PID() int { return p.pid }

// End returns when the program must have ended, as time since boot; 0 if it had no Limit.
func (p *Process) End() time.Duration { return p.end }

// Left returns how much of its Limit the program has left. It is negative once the program
// should have ended.
func (p *Process) Left() time.Duration { return p.end - sinceBoot() }

// Exited is closed when the program itself has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Signal sends a signal to the program's process group: to the program and to the
// processes it started, unless they have left the group. It must not be called
// after Wait, because Wait frees the group's number for other processes.
func (p *Process) Signal(s syscall.Signal) { _ = unix.Kill(-p.pid, s) }

// Wait waits for the end of the program and returns its exit status, or -1 if a
// signal ended it. The error is "exit status 3" or "signal: killed", for
// instance. A process that the program started and that still runs is no error.
func (p *Process) Wait() (int, error) {
	<-p.exited
	forgetEnd(p.pid)
	state, err := p.reap()
	return state.ExitCode(), err
}

// Run runs the program and waits for its end. When ctx ends first, Run kills the
// whole process group and returns ctx's error.
func (p *Program) Run(ctx context.Context, env []string, out io.Writer) error {
	return p.RunWith(ctx, env, nil, out)
}

// RunWith is Run with a standard input; nil is /dev/null.
func (p *Program) RunWith(ctx context.Context, env []string, in *os.File, out io.Writer) error {
	run, err := p.start(env, in, out, false)
	if err != nil {
		return err
	}
	if end, ok := ctx.Deadline(); ok {
		noteEnd(run.pid, time.Until(end))
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
