package checktools

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"

	"holdfast/checker/probe"
	"holdfast/cmd/internal/program"
)

const (
	// maxOutput is how much of a program's output is kept: a monitor of mon may name
	// a thousand hosts in its first line.
	maxOutput = 64 << 10
	// maxErrors is how much of its standard error is kept.
	maxErrors = 4 << 10
)

// Programs run the programs of checks. The zero value is ready for use, and its
// methods may be called from any goroutine.
type Programs struct {
	mu       sync.Mutex
	director string
	fallback program.Program // its User and Group are the defaults
}

var _ probe.Programs = (*Programs)(nil)

// Configure sets the name of the director, which programs are told, and the user and
// group of programs that name none.
func (p *Programs) Configure(director, user, group string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.director, p.fallback.User, p.fallback.Group = director, user, group
}

// checkName begins a variable that only the programs of checks have.
const checkName = "HOLDFAST_CHECK="

// IsCheck reports whether an environment is that of a program of a check.
func IsCheck(env []string) bool {
	return slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, checkName) })
}

// prepared returns a program as it runs, and its environment.
func (p *Programs) prepared(of *probe.Program) (program.Program, []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	run := program.Program{Argv: of.Argv, User: of.User, Group: of.Group}
	if run.User == "" {
		run.User = p.fallback.User
		if run.Group == "" {
			run.Group = p.fallback.Group
		}
	}
	env := []string{"PATH=" + program.Path, "LANG=C.UTF-8", "HOLDFAST_DIRECTOR=" + p.director}
	return run, append(env, of.Environment...)
}

// Check returns why a program cannot or must not be run, or nil.
func (p *Programs) Check(of probe.Program) error {
	run, _ := p.prepared(&of)
	return fit(&run, of.Script)
}

func fit(run *program.Program, script string) error {
	if err := run.Check(); err != nil || script == "" {
		return err
	}
	return run.CheckFile(script)
}

// Run implements probe.Programs. Before each run it looks whether the program is
// safe from other users. Processes that the program leaves behind in its group are
// killed.
func (p *Programs) Run(ctx context.Context, of probe.Program) (probe.Ended, error) {
	run, env := p.prepared(&of)
	if err := fit(&run, of.Script); err != nil {
		return probe.Ended{}, err
	}
	output, errs := &head{limit: maxOutput}, &head{limit: maxErrors}
	run.Errors = errs
	process, err := run.Start(env, output, false)
	if err != nil {
		return probe.Ended{}, err
	}
	var overdue error
	select {
	case <-process.Exited():
	case <-ctx.Done():
		overdue = ctx.Err()
	}
	process.Signal(syscall.SIGKILL)
	status, err := process.Wait()
	if overdue != nil {
		return probe.Ended{}, overdue
	}
	return ended(status, err, output, errs)
}

// ended returns what came of a program that has ended.
func ended(status int, err error, output, errs *head) (probe.Ended, error) {
	e := probe.Ended{Status: status, Output: output.kept, Errors: errs.kept}
	if err == nil {
		return e, nil
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return probe.Ended{}, err
	}
	if w, ok := exit.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		e.Signal = w.Signal().String()
	}
	return e, nil
}

// A head keeps the beginning of what is written to it, and takes the rest.
type head struct {
	limit int
	kept  []byte
}

var _ io.Writer = (*head)(nil)

// Write implements io.Writer.
func (h *head) Write(p []byte) (int, error) {
	h.kept = append(h.kept, p[:min(len(p), h.limit-len(h.kept))]...)
	return len(p), nil
}
