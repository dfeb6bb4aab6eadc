package track

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxOutput is how much of a script's output is kept, from its end.
	maxOutput = 4096
	// maxReason bounds the line of output that becomes part of a reason.
	maxReason = 160
	// outputLag is how long the rest of the output is waited for once the
	// script has ended: something it started may hold the pipe for ever.
	outputLag = 250 * time.Millisecond
)

// Environ returns the whole environment of a tracker's script: PATH, LANG,
// HOLDFAST_DIRECTOR and HOLDFAST_TRACKER.
func Environ(director, tracker string) []string {
	return []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
		"HOLDFAST_DIRECTOR=" + director, "HOLDFAST_TRACKER=" + tracker,
	}
}

// Script returns a look that runs a program: exit status 0 is up. When ctx ends
// the program's whole process group is killed. The last line of output becomes
// part of the reason. env is the whole environment.
func Script(argv, env []string) func(context.Context) Reading {
	return func(ctx context.Context) Reading {
		start := time.Now()
		output := &tail{}
		err := runScript(ctx, argv, env, output)
		switch {
		case err == nil:
			return Reading{Up: true}
		case errors.Is(err, context.DeadlineExceeded):
			err = fmt.Errorf("timed out after %v", time.Since(start).Round(time.Millisecond))
		}
		reason := err.Error()
		if line := output.lastLine(); line != "" {
			reason += ": " + line
		}
		return Reading{Reason: reason}
	}
}

func runScript(ctx context.Context, argv, env []string, output *tail) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = "/", env
	cmd.Stdout, cmd.Stderr = output, output
	cmd.WaitDelay = outputLag
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		awaitExit(cmd.Process.Pid)
	}()
	var ended error
	select {
	case <-exited:
	case <-ctx.Done():
		// The leader is not reaped yet, so the group's number is still its own.
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		<-exited
		ended = ctx.Err()
	}
	err := cmd.Wait()
	switch {
	case ended != nil:
		return ended
	case errors.Is(err, exec.ErrWaitDelay): // it left something running, and was itself well
		return nil
	}
	return err
}

// awaitExit returns when the process has ended, without reaping it.
func awaitExit(pid int) {
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
}

// A tail keeps the end of what is written to it.
type tail struct{ kept []byte }

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p[max(0, len(p)-maxOutput):]...)
	if over := len(t.kept) - maxOutput; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

// lastLine returns the last line that is not blank, fit for a message.
func (t *tail) lastLine() string {
	lines := bytes.Split(bytes.TrimSpace(t.kept), []byte("\n"))
	line := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(lines[len(lines)-1]), "?"))
	line = strings.TrimSpace(line)
	if runes := []rune(line); len(runes) > maxReason {
		line = string(runes[:maxReason]) + "…"
	}
	return line
}
