package notify

import (
	"cmp"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/program"
)

// DefaultTimeout is the timeout of a Command that sets none.
const DefaultTimeout = 30 * time.Second

// A Command is a script and how to run it.
type Command struct {
	// Program is the program with the configured arguments; the event's arguments
	// follow them, unless OwnArguments is true.
	program.Program
	OwnArguments bool `json:"own_arguments,omitempty"`
	// Timeout is the longest time that a run may take; 0 means DefaultTimeout.
	Timeout time.Duration `json:"timeout_ns,omitempty"`
}

func (c *Command) timeout() time.Duration {
	return cmp.Or(c.Timeout, DefaultTimeout)
}

// Scripts are the commands of one subject by state or moment. A nil field means
// that nothing runs.
type Scripts struct {
	Master, Backup, Fault, Stop *Command // instances and groups
	Up, Down                    *Command // services and servers
	AfterUp, AfterDown          *Command // services: a second command
	Rival, Priority, Deleted    *Command // moments of instances; Deleted of groups too
	// Any runs at every change of state, after the command of that state. It does
	// not run for moments: a script that withdraws routes for every argument except
	// MASTER would withdraw them for RIVAL.
	Any *Command
}

// For returns the commands for state, in the order in which they run.
func (s *Scripts) For(state string) []Command {
	own, after, any := (*Command)(nil), (*Command)(nil), s.Any
	if momentOf(state) != transition {
		any = nil
	}
	switch state {
	case event.Master:
		own = s.Master
	case event.Backup:
		own = s.Backup
	case event.Fault:
		own = s.Fault
	case event.Stop:
		own = s.Stop
	case event.Up:
		own, after = s.Up, s.AfterUp
	case event.Down:
		own, after = s.Down, s.AfterDown
	case Rival, RivalGone:
		own = s.Rival
	case Priority:
		own = s.Priority
	case event.Deleted:
		own = s.Deleted
	}
	var commands []Command
	for _, c := range []*Command{own, after, any} {
		if c != nil {
			commands = append(commands, *c)
		}
	}
	return commands
}
