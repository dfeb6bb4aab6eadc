package director

import (
	"errors"
	"fmt"

	"holdfast/checker/probe"
	"holdfast/checker/probe/clients"
	"holdfast/cmd/internal/bfd"
	"holdfast/cmd/internal/checktools"
	"holdfast/cmd/internal/track"
	"holdfast/conf"
)

// checkTools are what checks need of this host. Their use is not bound to the loop.
type checkTools struct {
	programs checktools.Programs
	files    *checktools.Files
	sessions checktools.Sessions
	traps    checktools.Traps
	ran      func(probe.MonRun)   // hears of runs of monitors of mon, and of traps
	lapsed   func(service string) // hears that the time of a trap is over

	trapped map[string]checktools.SavedTrap // of the former binary, until the first apply
}

// open returns the tools in the form that checks take. They must be closed.
func (t *checkTools) open() *probe.Tools {
	t.files = checktools.NewFiles()
	t.traps.Ran, t.traps.Lapsed = t.ran, t.lapsed
	return &probe.Tools{Clients: clients.All, Programs: &t.programs, Files: t.files, Sessions: &t.sessions, Traps: &t.traps, OnRun: t.ran}
}

func (t *checkTools) apply(c *conf.Config) {
	d := &c.Director
	t.programs.Configure(d.Name, d.Script.User, d.Script.Group)
	names := map[string]bool{}
	for i := range c.BFD {
		names[c.BFD[i].Name] = true
	}
	t.sessions.Keep(names)
	t.traps.Apply(c.Trapped(), t.trapped)
	t.trapped = nil
}

// sessionChanged tells checks what a BFD session is known to be.
func (t *checkTools) sessionChanged(session string, v bfd.Verdict, reason string) {
	switch v {
	case bfd.VerdictUp:
		t.sessions.Set(session, nil)
	case bfd.VerdictDown:
		t.sessions.Set(session, errors.New(reason))
	}
}

func (t *checkTools) close() {
	if t.files != nil {
		t.files.Close()
	}
	t.traps.Close()
}

// isOrphan reports whether an environment is that of a program whose result only the
// process that started it would have used.
func isOrphan(env []string) bool { return track.IsScript(env) || checktools.IsCheck(env) }

// unfitChecks says of every program of a check that could not, or must not, be run
// here and now why that is.
func unfitChecks(c *conf.Config) []string {
	var programs checktools.Programs
	programs.Configure(c.Director.Name, c.Director.Script.User, c.Director.Script.Group)
	var list []string
	found := map[string]bool{}
	for _, check := range c.Checks() {
		external, ok := check.Probe.(probe.External)
		if !ok {
			continue
		}
		if err := programs.Check(external.Program(probe.Target{Address: check.Address})); err != nil && !found[err.Error()] {
			found[err.Error()] = true
			list = append(list, fmt.Sprintf("service.%s.check.command: %v", ref(check.Server).Service, err))
		}
	}
	return list
}
