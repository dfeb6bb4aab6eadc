package track

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// commLen is how much of a process's name the kernel keeps (TASK_COMM_LEN
// without the final zero).
const commLen = 15

// Process returns a look at the processes of a name: at least quorum of them
// is up. The name is the kernel's (comm); where that is cut off, the name of
// the program in the command line decides. Processes that have ended and only
// wait for their parent do not count.
func Process(name string, quorum int) func(context.Context) Reading {
	return func(context.Context) Reading {
		n, err := countProcesses("/proc", name)
		switch {
		case err != nil:
			return Reading{Reason: err.Error()}
		case n >= quorum:
			return Reading{Up: true}
		case n == 0:
			return Reading{Reason: name + " is not running"}
		}
		return Reading{Reason: fmt.Sprintf("only %d of %s are running, not %d", n, name, quorum)}
	}
}

func countProcesses(proc, name string) (int, error) {
	dir, err := os.Open(proc)
	if err != nil {
		return 0, fmt.Errorf("look for processes: %w", err)
	}
	defer dir.Close()
	entries, err := dir.Readdirnames(-1)
	if err != nil {
		return 0, fmt.Errorf("look for processes: %w", err)
	}
	n := 0
	for _, e := range entries {
		if _, err := strconv.Atoi(e); err == nil && isProcess(filepath.Join(proc, e), name) {
			n++
		}
	}
	return n, nil
}

// isProcess reports whether the process of a folder of /proc has the name and
// lives. One that has gone meanwhile does not.
func isProcess(dir, name string) bool {
	// "pid (comm) state ...": comm may itself hold parentheses and blanks.
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	open, shut := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if err != nil || open < 0 || shut < open || len(stat) < shut+3 {
		return false
	}
	comm, state := string(stat[open+1:shut]), stat[shut+2]
	if state == 'Z' || state == 'X' || comm != name[:min(len(name), commLen)] {
		return false
	}
	if len(name) <= commLen {
		return true
	}
	line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	program, _, _ := bytes.Cut(line, []byte{0})
	return err == nil && filepath.Base(string(program)) == name
}
