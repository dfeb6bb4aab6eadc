package resource

import "holdfast/cmd/internal/program"

// A Programs is a resource of the administrator's programs. A program without Argv does
// nothing.
type Programs struct {
	Start, Stop, Status program.Program
}

// Command implements Runner.
func (p Programs) Command(a Action) (Command, bool) {
	c := Command{Program: p.Start}
	switch a {
	case Stop:
		c.Program = p.Stop
	case Look:
		c.Program = p.Status
	}
	return c, len(c.Argv) > 0
}

// Judge implements Runner.
func (Programs) Judge(a Action, status int) string { return zeroIsWell(a, status) }
