package probe

import (
	"context"
	"math/rand/v2"
	"net/netip"
)

// Ping sends one ICMP echo request and waits for its reply.
type Ping struct{}

// Kind returns "ping".
func (Ping) Kind() string { return "ping" }

// Needs returns NeedsAddress.
func (Ping) Needs() Needs { return NeedsAddress }

// Validate returns nil.
func (Ping) Validate() FieldErrors { return nil }

func (Ping) prober(t *Tools, to Target) Prober { return t.pings.prober(to) }

type pingProber struct {
	dialer  // for the words of errors
	sockets *pingSockets
	socket  *pingSocket
	to      netip.Addr
}

// Close gives the shared socket back.
func (p *pingProber) Close() error {
	p.sockets.release(p.socket)
	return nil
}

// Probe implements Prober.
func (p *pingProber) Probe(ctx context.Context) error {
	e := &echo{to: p.to, cookie: rand.Uint64(), done: make(chan struct{})}
	seq, err := p.socket.send(e)
	if err != nil {
		return unsent(p.failed("ping", err))
	}
	defer p.socket.forget(seq)
	select {
	case <-e.done:
		return nil
	case <-ctx.Done():
		return p.failed("ping", ctx.Err())
	}
}
