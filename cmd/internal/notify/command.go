package notify

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// DefaultTimeout is how long a script may take whose Command says nothing else.
const DefaultTimeout = 30 * time.Second

// A Command is a script and how to run it.
type Command struct {
	// Argv is the absolute path of the script and the arguments that come
	// before the event's own. No shell looks at it.
	Argv []string
	// Timeout is how long it may take; 0 means DefaultTimeout.
	Timeout time.Duration
}

func (c *Command) timeout() time.Duration {
	return cmp.Or(c.Timeout, DefaultTimeout)
}

// Scripts are the commands of one subject, by state; nil is none.
type Scripts struct {
	Master, Backup, Fault, Stop *Command // instances and groups
	Up, Down                    *Command // services and servers
	Any                         *Command // every state, after the state's own
}

// For returns the commands for state, in the order in which they run.
func (s *Scripts) For(state string) []Command {
	var own *Command
	switch state {
	case Master:
		own = s.Master
	case Backup:
		own = s.Backup
	case Fault:
		own = s.Fault
	case Stop:
		own = s.Stop
	case Up:
		own = s.Up
	case Down:
		own = s.Down
	}
	var commands []Command
	for _, c := range []*Command{own, s.Any} {
		if c != nil {
			commands = append(commands, *c)
		}
	}
	return commands
}

// Check returns why c cannot or must not be run: it has no absolute path, is
// missing, not a regular file, not executable, or somebody else could write
// what would run with the daemon's rights (the file, or a directory on the way
// to it, is writable by everybody; a sticky directory such as /tmp is not
// counted, since in it others cannot replace a file).
func (c *Command) Check() error {
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return errors.New("no script is named")
	}
	name := c.Argv[0]
	if !filepath.IsAbs(name) {
		return fmt.Errorf("script %q is not an absolute path", name)
	}
	real, err := filepath.EvalSymlinks(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("script %s does not exist", name)
	}
	if err != nil {
		return fmt.Errorf("look at script %s: %w", name, err)
	}
	info, err := os.Stat(real)
	if err != nil {
		return fmt.Errorf("look at script: %w", err)
	}
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("script %s is not a regular file", name)
	case info.Mode().Perm()&0o111 == 0 || unix.Access(real, unix.X_OK) != nil:
		return fmt.Errorf("script %s is not executable (mode %04o)", name, info.Mode().Perm())
	case info.Mode().Perm()&0o002 != 0:
		return fmt.Errorf("script %s is writable by everybody (mode %04o)", name, info.Mode().Perm())
	}
	for dir := filepath.Dir(real); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("look at the directories of script %s: %w", name, err)
		}
		if info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
			return fmt.Errorf("script %s lies in %s, which is writable by everybody", name, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}
