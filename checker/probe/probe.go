package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// A Prober asks one server one question. The caller asks again and again, but
// never twice at once.
type Prober interface {
	// Probe asks once. It returns nil if the server is well, otherwise the
	// reason why it is not. Probe returns soon after ctx ends.
	Probe(ctx context.Context) error
}

// A Warner is a Prober that can find something at a server that is well which
// people should know, such as a certificate that will expire soon.
type Warner interface {
	Prober
	// Warning returns what the latest successful Probe found; "" if nothing. As
	// long as nothing changes, its text stays the same.
	Warning() string
}

// A CertificateHolder is a Prober that sees the certificate of its server.
type CertificateHolder interface {
	Prober
	// CertificateEnds returns when the certificate that the server showed last ends to
	// be valid; zero if it showed none.
	CertificateEnds() time.Time
}

// ProberFunc makes a Prober of a function.
type ProberFunc func(ctx context.Context) error

// Probe calls f.
func (f ProberFunc) Probe(ctx context.Context) error { return f(ctx) }

// Settings say what one kind of check asks and which answer it accepts. Only
// the types of this package implement it. They have exported fields only, of
// types that reflect.DeepEqual compares by value.
type Settings interface {
	// Kind returns the name of the kind as the configuration file spells it.
	Kind() string
	// Needs returns which part of the Target the kind uses.
	Needs() Needs
	// Validate returns every fault.
	Validate() FieldErrors

	// prober returns what asks. The settings are valid. A Prober that is an
	// io.Closer is closed when it is no longer needed.
	prober(*Tools, Target) Prober
}

// Needs is the part of a Target that a kind of check uses.
type Needs int

// What a kind uses.
const (
	NeedsNothing  Needs = iota // it asks nobody
	NeedsReports               // nothing: somebody tells it of changes
	NeedsThisHost              // nothing: it looks at something of this host
	NeedsAddress               // the address without the port
	NeedsServer                // the address, and the port if there is one
	NeedsPort                  // the address and the port
)

// kinds holds the default settings of every kind, in the order of the
// documentation.
var kinds = []Settings{
	None{},
	TCP{},
	defaultHTTP,
	defaultHTTPS,
	defaultPing,
	UDP{},
	defaultDNS,
	defaultSMTP(false),
	defaultSMTP(true),
	defaultIMAP(false),
	defaultIMAP(true),
	defaultPOP(false),
	defaultPOP(true),
	defaultFTP(false),
	defaultFTP(true),
	defaultNNTP(false),
	defaultNNTP(true),
	SSH{},
	defaultSIP,
	defaultNTP,
	defaultLDAP,
	defaultLDAPS,
	MySQL{},
	PostgreSQL{},
	defaultRedis,
	defaultMemcached,
	defaultMQTT,
	defaultRADIUS,
	GRPC{},
	defaultExternal,
	File{},
	Agent{},
	BFD{},
	Trap{},
}

// HasAddress reports whether the kind asks an address.
func (n Needs) HasAddress() bool { return n >= NeedsAddress }

// HasPort reports whether the kind uses a port.
func (n Needs) HasPort() bool { return n >= NeedsServer }

// Kinds returns the names of all kinds, in the order of the documentation.
func Kinds() []string {
	names := make([]string, len(kinds))
	for i, s := range kinds {
		names[i] = s.Kind()
	}
	return names
}

// Default returns the settings that a kind has when the configuration gives
// only its name; nil if there is no such kind.
func Default(kind string) Settings {
	for _, s := range kinds {
		if s.Kind() == kind {
			return s
		}
	}
	return nil
}

// Tools make Probers and hold what these share. The zero value is ready for
// use. A Tools must not be copied after its first use.
type Tools struct {
	// Clients make the Probers of kinds whose client is outside this package.
	// The key is the kind.
	Clients map[string]func(Settings, Target) Prober
	// Programs run programs for checks of type external. This field and the next three
	// may be nil; the checks then find out nothing.
	Programs Programs
	Files    Files    // for checks of type file
	Sessions Sessions // for checks of type bfd
	Traps    Traps    // for checks of type trap
	// OnRun is called in any goroutine after each run of a monitor of mon that asks for
	// all servers of a service. nil: nobody wants to know.
	OnRun func(MonRun)

	pings  pingSockets
	joints joints
}

// Prober returns what asks the question of valid settings. The caller passes it
// to Discard when it is no longer needed.
func (t *Tools) Prober(s Settings, to Target) Prober {
	if client := t.Clients[s.Kind()]; client != nil {
		return client(s, to)
	}
	return s.prober(t, to)
}

// Discard ends the use of a Prober. No Probe may run then.
func Discard(p Prober) {
	if c, ok := p.(io.Closer); ok {
		_ = c.Close() // nothing was written that could be lost
	}
}

// A FieldError is one fault of a configuration.
type FieldError struct {
	Key     string // as the configuration file spells it
	Problem string
}

// Error returns "key: problem".
func (e *FieldError) Error() string { return e.Key + ": " + e.Problem }

// FieldErrors are the faults of a configuration; each is a *FieldError.
type FieldErrors []error

// Addf adds a fault of a key.
func (e *FieldErrors) Addf(key, format string, args ...any) {
	*e = append(*e, &FieldError{Key: key, Problem: fmt.Sprintf(format, args...)})
}

// Join returns the faults as one error; nil if there are none.
func (e FieldErrors) Join() error { return errors.Join(e...) }
