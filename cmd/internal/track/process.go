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

// commLen is how much of a process's name the kernel keeps (TASK_COMM_LEN
// without the final zero).
const commLen = 15

// A Process says which processes are looked for, and how many there should be.
// Those that have ended and only wait for their parent do not count.
type Process struct {
	// Name is the kernel's (comm), or, where that is cut off, that of the program
	// in the command line; with a slash it is that program's whole path.
	Name string
	// Parameters are what follows the program in the command line; nil: anything.
	// With Initial more may follow; with Partial the last may go on, too.
	Parameters       []string
	Initial, Partial bool
	Min              int
	Max              int // 0: any number
}

// look looks for the processes in a folder like /proc.
func (p *Process) look(proc string) (pids map[int]bool, r Reading) {
	pids, err := p.find(proc)
	n := len(pids)
	switch {
	case err != nil:
		r = Reading{Reason: err.Error(), Void: true}
	case p.Max != 0 && n > p.Max:
		r.Reason = fmt.Sprintf("%d of %s are running, more than %d", n, p, p.Max)
	case n >= p.Min:
		r.Up = true
	case n == 0:
		r.Reason = p.String() + " is not running"
	default:
		r.Reason = fmt.Sprintf("only %d of %s are running, not %d", n, p, p.Min)
	}
	return pids, r
}

// String returns the name and the parameters.
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
		if pid, err := strconv.Atoi(e); err == nil && p.is(filepath.Join(proc, e)) {
			pids[pid] = true
		}
	}
	return pids, nil
}

// is reports whether the process of a folder of /proc is one of them and lives.
// One that has gone meanwhile does not.
func (p *Process) is(dir string) bool {
	// "pid (comm) state ...": comm may itself hold parentheses and blanks.
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
	return p.has(words[1:])
}

// has reports whether what follows the program is what it should be.
func (p *Process) has(parameters []string) bool {
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
