package resource

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/program"
)

// A Runner knows which program does what with one resource. It is a plain value: two
// that are deeply equal do the same.
type Runner interface {
	// Command returns the program of an action; false if there is nothing to be run,
	// which is success.
	Command(a Action) (Command, bool)
	// Judge returns what the exit status of the program of an action means; "" is
	// success: after Look, that the resource runs.
	Judge(a Action, status int) string
}

// A Command is what is run for one action.
type Command struct {
	program.Program
	Env []string // beside that of Environ
}

// marker begins a variable that only the programs of resources have.
const marker = "HOLDFAST_RESOURCE="

// Environ returns the environment that the programs of all resources have: PATH, LANG,
// HOLDFAST_DIRECTOR, HOLDFAST_GROUP, HOLDFAST_RESOURCE and HOLDFAST_ACTION.
func Environ(director, group, resource string, a Action) []string {
	return []string{
		"PATH=" + program.Path, "LANG=C.UTF-8", "HOLDFAST_DIRECTOR=" + director,
		"HOLDFAST_GROUP=" + group, marker + resource, "HOLDFAST_ACTION=" + string(a),
	}
}

// Run runs the program of an action and returns "" or what went wrong. When ctx ends,
// the program is killed with its process group; the cause of its end is the reason, unless
// its time is over. began is told the program's process once that runs.
func Run(ctx context.Context, r Runner, a Action, env []string, began func(pid int)) string {
	c, ok := r.Command(a)
	if !ok {
		return ""
	}
	if err := c.Check(); err != nil {
		return err.Error()
	}
	from := time.Now()
	output, err := newOutput()
	if err != nil {
		return err.Error()
	}
	defer output.Close()
	run, err := c.Start(slices.Concat(env, c.Env), output, false)
	if err != nil {
		return fmt.Sprintf("run %s: %v", c.Argv[0], err)
	}
	began(run.PID())
	var late bool
	select {
	case <-run.Exited():
	case <-ctx.Done():
		late = true
		run.Signal(unix.SIGKILL)
	}
	status, err := run.Wait()
	problem := judge(r, a, status, err)
	switch {
	case late && errors.Is(ctx.Err(), context.DeadlineExceeded):
		problem = fmt.Sprintf("%s was killed: it took longer than %v", a, time.Since(from).Round(10*time.Millisecond))
	case late:
		problem = fmt.Sprintf("%s was killed after %v: %v", a, time.Since(from).Round(10*time.Millisecond), context.Cause(ctx))
	}
	if line := lastLine(output); problem != "" && line != "" {
		problem += ": " + line
	}
	return problem
}

// judge returns what the end of a program means.
func judge(r Runner, a Action, status int, err error) string {
	var exit *exec.ExitError
	if err != nil && (status < 0 || !errors.As(err, &exit)) {
		return fmt.Sprintf("%s: %v", a, err)
	}
	return r.Judge(a, status)
}

// zeroIsWell is Judge for programs of which only the exit status 0 is success.
func zeroIsWell(a Action, status int) string {
	switch {
	case status == 0:
		return ""
	case a == Look:
		return fmt.Sprintf("status says that it does not run (exit status %d)", status)
	}
	return fmt.Sprintf("%s failed with exit status %d", a, status)
}

// IsProgram reports whether an environment was made by [Environ].
func IsProgram(env []string) bool {
	return slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, marker) })
}
