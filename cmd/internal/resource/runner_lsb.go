package resource

import (
	"fmt"
	"slices"

	"holdfast/cmd/internal/program"
)

// An LSB is an init script (Linux Standard Base Core 5.0, section 20.2). With Args it is
// a script of heartbeat's resource.d, which has its arguments before the action.
type LSB struct {
	Script string // absolute path
	Args   []string
}

// Command implements Runner.
func (l LSB) Command(a Action) (Command, bool) {
	argv := slices.Concat([]string{l.Script}, l.Args, []string{string(a)})
	return Command{Program: program.Program{Argv: argv}}, true
}

// lsbStatus are the exit statuses of the action status.
var lsbStatus = []string{"", "it is dead, and its pid file is there", "it is dead, and its lock file is there", "it is not running", "its state is not known"}

// lsbErrors are the exit statuses of the other actions.
var lsbErrors = []string{
	"", "generic error", "wrong arguments", "not implemented", "insufficient privilege", "not installed", "not configured", "not running",
}

// Judge implements Runner.
func (l LSB) Judge(a Action, status int) string {
	switch {
	case status == 0:
		return ""
	case a == Look && status < len(lsbStatus):
		return "status says: " + lsbStatus[status]
	case a != Look && status < len(lsbErrors):
		return fmt.Sprintf("%s failed: %s (exit status %d)", a, lsbErrors[status], status)
	}
	return zeroIsWell(a, status)
}
