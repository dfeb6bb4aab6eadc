package track

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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

// look looks for the processes in a directory like /proc.
func (p *Process) look(proc string) (pids map[int]bool, r Reading) {
	pids, err := p.find(proc)
	n := len(pids)
	switch {
	case err != nil:
		r = Reading{Reason: err.Error(), Void: true}
	case p.Max != 0 && n > p.Max:
		r.Reason = fmt.Sprintf("%d processes %q are running, at most %d should be", n, p, p.Max)
	case n >= p.Min:
		r.Up = true
	case n == 0:
		r.Reason = fmt.Sprintf("no process %q is running", p)
	default:
		r.Reason = fmt.Sprintf("%d processes %q are running, at least %d should be", n, p, p.Min)
	}
	return pids, r
}

// String returns the name and the parameters, separated by spaces.
func (p *Process) String() string {
	return strings.Join(slices.Concat([]string{p.Name}, p.Parameters), " ")
}

func (p *Process) find(proc string) (map[int]bool, error) {
	dir, err := os.Open(proc)
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	defer dir.Close()
	entries, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	pids := map[int]bool{}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e); err == nil && p.matches(filepath.Join(proc, e)) {
			pids[pid] = true
		}
	}
	return pids, nil
}

// matches reports whether the process of a directory in /proc is one of p and
// runs. A process that has ended meanwhile does not.
func (p *Process) matches(dir string) bool {
	// "pid (comm) state ...": comm itself may contain parentheses and spaces.
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	open, shut := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if err != nil || open < 0 || shut < open || len(stat) < shut+3 {
		return false
	}
	comm, state := string(stat[open+1:shut]), stat[shut+2]
	if state == 'Z' || state == 'X' {
		return false
	}
	path := strings.HasPrefix(p.Name, "/")
	if !path && comm != p.Name[:min(len(p.Name), commLen)] {
		return false
	}
	if !path && len(p.Name) <= commLen && p.Parameters == nil {
		return true
	}
	line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil || len(line) == 0 {
		return false
	}
	words := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	switch {
	case path && words[0] != p.Name:
		return false
	case !path && len(p.Name) > commLen && filepath.Base(words[0]) != p.Name:
		return false
	}
	return p.acceptsParameters(words[1:])
}

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
