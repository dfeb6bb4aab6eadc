package checker

import (
	"context"
	"fmt"
	"io"
)

// A Prober asks one question of one server, again and again but never twice at
// once.
type Prober interface {
	// Probe asks once and returns nil if the server is well, and otherwise the
	// reason why it is not, for people to read. The deadline is that of ctx;
	// Probe returns soon after ctx ends.
	Probe(ctx context.Context) error
}

// The ProberFunc adapter lets a function be a Prober.
type ProberFunc func(ctx context.Context) error

// Probe calls f.
func (f ProberFunc) Probe(ctx context.Context) error { return f(ctx) }

// A toolbox makes Probers and holds what they share.
type toolbox struct{ pings pingSockets }

// prober returns the Prober of a valid Config whose Kind is not None. If it is
// an io.Closer, it is closed when it is no longer needed.
func (t *toolbox) prober(c Config) Prober {
	switch c.Kind {
	case TCP:
		return newTCPProber(&c)
	case HTTP, HTTPS:
		return newHTTPProber(&c)
	case UDP:
		return newUDPProber(&c)
	case DNS:
		return newDNSProber(&c)
	case Ping:
		return t.pings.prober(&c)
	default:
		return ProberFunc(func(context.Context) error {
			return fmt.Errorf("nothing can ask a check of type %q", c.Kind)
		})
	}
}

// discard ends the use of a Prober.
func discard(p Prober) {
	if c, ok := p.(io.Closer); ok {
		_ = c.Close() // it was only listened on
	}
}
