package track

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"holdfast/cmd/internal/program"
)

// Environ returns the whole environment of a tracker's script: PATH, LANG,
// HOLDFAST_DIRECTOR and HOLDFAST_TRACKER.
func Environ(director, tracker string) []string {
	return []string{
		"PATH=" + program.Path, "LANG=C.UTF-8",
		"HOLDFAST_DIRECTOR=" + director, trackerName + tracker,
	}
}

// trackerName begins a variable that only the scripts of trackers have.
const trackerName = "HOLDFAST_TRACKER="

// IsScript reports whether an environment was made by [Environ].
func IsScript(env []string) bool {
	return slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, trackerName) })
}

// isStarved reports whether a program could not be started for want of a descriptor, a
// process or memory.
func isStarved(err error) bool {
	return slices.ContainsFunc([]error{syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN, syscall.ENOMEM}, func(e error) bool { return errors.Is(err, e) })
}

// Script returns a look that runs a program with the environment env. Exit
// status 0 is up. The last line of output is part of the reason for any other
// result. When ctx ends, the program's whole process group is killed. A program
// that [program.Program.Check] refuses is down.
func Script(script program.Program, env []string) func(context.Context) Reading {
	return func(ctx context.Context) Reading {
		if err := script.Check(); err != nil {
			return Reading{Reason: err.Error(), Void: true, Starved: isStarved(err)}
		}
		start := time.Now()
		output := &program.Tail{}
		err := script.Run(ctx, env, output)
		if err == nil {
			return Reading{Up: true}
		}
		var r Reading
		var exit *exec.ExitError
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			r.Void, r.TimedOut = true, true
			err = fmt.Errorf("timed out after %v", time.Since(start).Round(time.Millisecond))
		case !errors.As(err, &exit): // the program was not started
			r.Void, r.Starved = true, isStarved(err)
		}
		r.Reason = err.Error()
		if line := output.LastLine(); line != "" {
			r.Reason += ": " + line
		}
		return r
	}
}
