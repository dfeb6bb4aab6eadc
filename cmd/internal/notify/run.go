package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/program"
)

// A Result is how the run of one command ended.
type Result struct {
	Subject string // name of the instance, group or service; "service/server"
	State   string // the third argument: a state or a moment
	Command Command
	Took    time.Duration
	// ExitCode is the exit status; -1 if a signal ended the script or it did
	// not start.
	ExitCode int
	// Err is nil after exit status 0. Otherwise it gives the reason: the script
	// could not be started, timed out, was ended by a signal, or exited with
	// another status.
	Err error
}

// Reasons for ending a script early. They become part of Result.Err.
var (
	errTimeout = errors.New("timed out")
	errHurry   = errors.New("ended because the director stops and a later state waits")
	errKilled  = errors.New("killed because the director stops")
)

// outputLag is how long run waits for the rest of the output after the script has
// ended: a background process of the script may keep the pipe open for ever.
const outputLag = 250 * time.Millisecond

// A run is a script that was started.
type run struct {
	process *program.Process
	output  *output
	begun   time.Time
	reason  error  // why it was told to end; nil: it was not
	again   bool   // it goes on after a pause
	path    string // of the program
}

// attempt starts the first command of a delivery, unless that was done before, and
// returns when the script has ended. A cancelled ctx ends the script early: gently, unless
// the cause is errKilled. It reports false if the notifier pauses before that: the script
// then goes on, or was not started.
func (n *Notifier) attempt(ctx context.Context, d *delivery) (Result, bool) {
	c, command := &d.call, d.commands[0]
	result := Result{Subject: c.Subject, State: c.state, Command: command, ExitCode: -1, Err: d.lost}
	begun := time.Now()
	if d.run == nil && d.lost == nil {
		if result.Err = command.Check(); result.Err == nil {
			if !n.mayStart(d) {
				return result, false
			}
			r, err := n.start(c, command)
			n.started(d, r)
			result.Err = err
		}
	}
	if d.run != nil {
		begun = d.run.begun
		d.run.output.begin()
		reason, ended := n.supervise(ctx, d.run, command.timeout())
		if !ended {
			d.run.output.pause()
			d.run.again = true
			return result, false
		}
		result.ExitCode, result.Err = n.finish(d.run, reason)
	}
	result.Took = time.Since(begun)
	return result, true
}

// mayStart reports whether the first command of a delivery may be started. It may not
// while the notifier pauses.
func (n *Notifier) mayStart(d *delivery) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	d.starting = !n.paused
	return d.starting
}

// started notes the run of the first command of a delivery; nil: it could not be started.
func (n *Notifier) started(d *delivery, r *run) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d.starting, d.run = false, r
}

// start starts the script of a call.
func (n *Notifier) start(c *call, command Command) (*run, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe for the script's output: %w", err)
	}
	args := c.args()
	if command.OwnArguments {
		args = nil
	}
	command.Limit = command.timeout()
	begun := time.Now()
	process, err := command.Start(c.environ(n.director.Load().(string)), write, false, args...)
	write.Close() // the script's copy is now the only one, so that its end is seen
	if err != nil {
		read.Close()
		return nil, fmt.Errorf("start the script: %w", err)
	}
	return &run{process: process, path: command.Argv[0], output: &output{pipe: read, log: n.scriptLog(c, command)}, begun: begun}, nil
}

// scriptLog is the log of what a script says.
func (n *Notifier) scriptLog(c *call, command Command) *slog.Logger {
	return n.log.With("type", c.kind, "name", c.Subject, "state", c.state, "script", command.Argv[0])
}

// finish takes the result of a script that has ended; reason is why it was told to.
func (n *Notifier) finish(r *run, reason error) (int, error) {
	code, err := r.process.Wait()
	r.output.finish(n.after)
	if reason != nil {
		return -1, reason
	}
	return code, err
}

// supervise returns nil when the script has ended by itself. Otherwise it ends the
// script's process group and returns the reason. In both cases the caller must
// still wait for the process. It reports false if the notifier pauses before that.
func (n *Notifier) supervise(ctx context.Context, r *run, timeout time.Duration) (reason error, ended bool) {
	paused := n.pausing()
	if r.reason == nil {
		select {
		case <-r.process.Exited():
			return nil, true
		case <-n.after(r.left(timeout)):
			r.reason = fmt.Errorf("%w after %v", errTimeout, timeout)
		case <-ctx.Done():
			r.reason = context.Cause(ctx)
		case <-paused:
			return nil, false
		}
		if n.killing.Err() == nil {
			r.process.Signal(unix.SIGTERM)
		}
	}
	if n.killing.Err() == nil && !n.awaitGroup(r, paused) {
		return nil, false
	}
	r.process.Signal(unix.SIGKILL)
	select {
	case <-r.process.Exited():
		return r.reason, true
	case <-paused: // it is blocked in the kernel
		return nil, false
	}
}

// left returns how much of its timeout the script has left, which is all of it when it has
// just been started.
func (r *run) left(timeout time.Duration) time.Duration {
	if r.again {
		return r.process.Left()
	}
	return timeout
}

// awaitGroup returns when the script has ended and its output is closed, at the
// latest when the grace is over or the scripts are to be killed. It reports false if the
// notifier pauses before that.
func (n *Notifier) awaitGroup(r *run, paused <-chan struct{}) bool {
	grace := n.after(n.grace)
	for _, ended := range []<-chan struct{}{r.process.Exited(), r.output.done} {
		select {
		case <-ended:
		case <-grace:
			return true
		case <-n.killing.Done():
			return true
		case <-paused:
			return false
		}
	}
	return true
}
