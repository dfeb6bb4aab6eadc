package track

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// commLen is the length to which the kernel cuts a process's name: TASK_COMM_LEN
// without the final zero (linux/sched.h).
const commLen = 15

// A Process says which processes to look for and how many should run. Zombies
// do not count.
type Process struct {
	// Name is the name that the kernel keeps of a process (comm). A name longer
	// than 15 characters is compared with the base name of the program in the
	// command line, and a name that begins with a slash with the program's path.
	Name string
	// Parameters are the arguments after the program in the command line; nil
	// accepts any. With Initial or Partial further arguments may follow; with
	// Partial the last of Parameters need only be the beginning of an argument.
	Parameters       []string
	Initial, Partial bool
	Min              int
	Max              int // 0 is no limit
}

// judge says what it means that these processes run.
func (p *Process) judge(pids map[int]bool) (r Reading) {
	n := len(pids)
	switch {
	case p.Max != 0 && n > p.Max:
		r.Reason = fmt.Sprintf("%d processes %q are running, at most %d should be", n, p, p.Max)
	case n >= p.Min:
		r.Up = true
	case n == 0:
		r.Reason = fmt.Sprintf("no process %q is running", p)
	default:
		r.Reason = fmt.Sprintf("%d processes %q are running, at least %d should be", n, p, p.Min)
	}
	return r
}

// String returns the name and the parameters, separated by spaces.
func (p *Process) String() string {
	return strings.Join(slices.Concat([]string{p.Name}, p.Parameters), " ")
}

// matches reports whether a process is one of p.
func (p *Process) matches(e *processEntry) bool {
	path := strings.HasPrefix(p.Name, "/")
	if !path && e.comm != p.comm() {
		return false
	}
	if !path && len(p.Name) <= commLen && p.Parameters == nil {
		return true
	}
	words := e.words()
	switch {
	case len(words) == 0:
		return false
	case path && words[0] != p.Name:
		return false
	case !path && len(p.Name) > commLen && filepath.Base(words[0]) != p.Name:
		return false
	}
	return p.acceptsParameters(words[1:])
}

// comm returns the name as the kernel keeps it. A path has none.
func (p *Process) comm() string { return p.Name[:min(len(p.Name), commLen)] }

// acceptsParameters reports whether the arguments after the program match.
func (p *Process) acceptsParameters(parameters []string) bool {
	n := len(p.Parameters)
	switch {
	case n == 0:
		return true
	case len(parameters) < n || len(parameters) > n && !p.Initial && !p.Partial:
		return false
	}
	last := parameters[n-1] == p.Parameters[n-1] || p.Partial && strings.HasPrefix(parameters[n-1], p.Parameters[n-1])
	return last && slices.Equal(parameters[:n-1], p.Parameters[:n-1])
}
