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

// run executes the command of a call and returns when the script has ended. A
// cancelled ctx ends the script early: gently, unless the cause is errKilled.
func (n *Notifier) run(ctx context.Context, c *call, command Command) Result {
	start := time.Now()
	result := Result{Subject: c.Subject, State: c.state, Command: command, ExitCode: -1}
	if result.Err = command.Check(); result.Err == nil {
		log := n.log.With("type", c.kind, "name", c.Subject, "state", c.state, "script", command.Argv[0])
		result.ExitCode, result.Err = n.execute(ctx, log, c, command)
	}
	result.Took = time.Since(start)
	return result
}

func (n *Notifier) execute(ctx context.Context, log *slog.Logger, c *call, command Command) (int, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return -1, fmt.Errorf("make a pipe for the script's output: %w", err)
	}
	defer read.Close()
	args := c.args()
	if command.OwnArguments {
		args = nil
	}
	command.Limit = command.timeout()
	run, err := command.Start(c.environ(n.director.Load().(string)), write, false, args...)
	write.Close() // the script's copy is now the only one, so that its end is seen
	if err != nil {
		return -1, fmt.Errorf("start the script: %w", err)
	}
	output := make(chan struct{})
	go func() {
		defer close(output)
		logLines(read, log)
	}()
	reason := n.supervise(ctx, run, command.timeout(), output)
	code, err := run.Wait()
	select {
	case <-output:
	case <-n.after(outputLag):
		read.Close()
		<-output
	}
	if reason != nil {
		return -1, reason
	}
	return code, err
}

// supervise returns nil when the script has ended by itself. Otherwise it ends the
// script's process group and returns the reason. In both cases the caller must
// still wait for the process.
func (n *Notifier) supervise(ctx context.Context, run *program.Process, timeout time.Duration, output <-chan struct{}) error {
	reason := fmt.Errorf("%w after %v", errTimeout, timeout)
	select {
	case <-run.Exited():
		return nil
	case <-n.after(timeout):
	case <-ctx.Done():
		reason = context.Cause(ctx)
	}
	if n.killing.Err() == nil {
		run.Signal(unix.SIGTERM)
		n.awaitGroup(run.Exited(), output)
	}
	run.Signal(unix.SIGKILL)
	<-run.Exited()
	return reason
}

// awaitGroup returns when the script has ended and its output is closed, at the
// latest when the grace is over or the scripts are to be killed.
func (n *Notifier) awaitGroup(exited, output <-chan struct{}) {
	grace := n.after(n.grace)
	for _, ended := range []<-chan struct{}{exited, output} {
		select {
		case <-ended:
		case <-grace:
			return
		case <-n.killing.Done():
			return
		}
	}
}
