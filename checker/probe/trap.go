package probe

import (
	"context"
	"errors"
	"time"
)

// Trap takes its verdict from traps of mon, which monitors on other hosts send. It asks
// nobody.
type Trap struct {
	// Silence is how long no trap may come until that is a failure; 0: for ever. It
	// fails again after as long (mon: traptimeout).
	Silence time.Duration
	// Lasts is how long a trap counts; then all is well until the next. 0: for ever
	// (mon: trapduration).
	Lasts time.Duration
	// Environment has NAME=value for the programs of alerts.
	Environment []string

	Subject Subject // whose check it is
}

// Kind returns "trap".
func (Trap) Kind() string { return "trap" }

// Needs returns NeedsReports.
func (Trap) Needs() Needs { return NeedsReports }

// Validate implements Settings.
func (Trap) Validate() FieldErrors { return nil }

// For implements Personal.
func (s Trap) For(about Subject, servers []Named) Settings {
	s.Subject = Subject{Service: about.Service, Server: about.Server}
	for _, v := range servers {
		s.Subject.Hosts = append(s.Subject.Hosts, v.Name)
	}
	return s
}

// Traps know the latest trap of each service. The director has the implementation.
type Traps interface {
	// Latest returns the exit status and the output of the latest trap; ok is false if
	// none has come.
	Latest(service string) (status int, output string, ok bool)
	// Watch calls changed, from another goroutine, after a trap for the service until
	// stop is called. Neither Watch nor stop waits for changed.
	Watch(service string, changed func()) (stop func())
}

func (s Trap) prober(t *Tools, _ Target) Prober { return &trapProber{s, t.Traps} }

type trapProber struct {
	settings Trap
	traps    Traps
}

// Watch implements Watcher.
func (p *trapProber) Watch(changed func()) (stop func()) {
	if p.traps == nil {
		return func() {}
	}
	return p.traps.Watch(p.settings.Subject.Service, changed)
}

// Probe implements Prober. A trap that names servers of the service is about these.
func (p *trapProber) Probe(context.Context) error {
	if p.traps == nil {
		return Inconclusive(errors.New("no traps of mon are taken here"))
	}
	about := &p.settings.Subject
	status, output, ok := p.traps.Latest(about.Service)
	if !ok {
		return Inconclusive(errors.New("no trap has come yet"))
	}
	return monFailure(&Ended{Status: status, Output: []byte(output)}, about.Server, about.Hosts)
}
