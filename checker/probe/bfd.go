package probe

import (
	"context"
	"errors"
)

// BFD takes its verdict from a session of Bidirectional Forwarding Detection
// (RFC 5880). It asks nobody: the session tells of its changes.
type BFD struct {
	Session string // its name in the configuration
}

// Kind returns "bfd".
func (BFD) Kind() string { return "bfd" }

// Needs returns NeedsReports.
func (BFD) Needs() Needs { return NeedsReports }

// Validate implements Settings.
func (s BFD) Validate() FieldErrors {
	var errs FieldErrors
	if s.Session == "" {
		errs.Addf("bfd", "is required with type = \"bfd\"")
	}
	return errs
}

// Sessions know the BFD sessions of this host. The director has the implementation.
type Sessions interface {
	// State returns nil for a session that is up, otherwise why it is not. A session
	// that has no state yet, because it has just begun, is inconclusive.
	State(session string) error
	// Watch calls changed, from another goroutine, after a change of the session's
	// state until stop is called. Neither Watch nor stop waits for changed.
	Watch(session string, changed func()) (stop func())
}

func (s BFD) prober(t *Tools, _ Target) Prober {
	return &bfdProber{session: s.Session, sessions: t.Sessions}
}

type bfdProber struct {
	session  string
	sessions Sessions
}

// Watch implements Watcher.
func (p *bfdProber) Watch(changed func()) (stop func()) {
	if p.sessions == nil {
		return func() {}
	}
	return p.sessions.Watch(p.session, changed)
}

// Probe implements Prober.
func (p *bfdProber) Probe(context.Context) error {
	if p.sessions == nil {
		return Inconclusive(errors.New("no BFD sessions are known here"))
	}
	return p.sessions.State(p.session)
}
