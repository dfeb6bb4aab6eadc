package resource

import (
	"fmt"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/program"
)

// Systemctl returns the path of systemctl. If there is none, running it says so.
func Systemctl() string {
	const usual = "/usr/bin/systemctl"
	for _, path := range []string{usual, "/bin/systemctl"} {
		if unix.Access(path, unix.X_OK) == nil {
			return path
		}
	}
	return usual
}

// A Systemd is a unit of systemd. systemctl waits for the end of a job, and takes a
// moment that its timeout is bounded by; a job that takes longer goes on without it.
type Systemd struct {
	Unit      string
	Systemctl string // absolute path
}

// Command implements Runner.
func (s Systemd) Command(a Action) (Command, bool) {
	verb := string(a)
	if a == Look {
		verb = "is-active"
	}
	return Command{Program: program.Program{Argv: []string{s.Systemctl, verb, "--", s.Unit}}}, true
}

// Judge implements Runner. is-active exits with 3 if a unit is not active, and says
// what it is.
func (s Systemd) Judge(a Action, status int) string {
	switch {
	case status == 0:
		return ""
	case a == Look:
		return fmt.Sprintf("unit %s is not active", s.Unit)
	}
	return fmt.Sprintf("systemctl %s %s failed with exit status %d", a, s.Unit, status)
}
