package probe

import (
	"context"
	"math/rand/v2"
	"net/netip"
)

// Ping sends one ICMP echo request and waits for its reply.
type Ping struct {
	Size int // bytes of data in the request, minPing to maxPing; 0: minPing
}

// The data begins with 8 bytes by which a reply is known. A packet of IPv4 holds 65535
// bytes, of which the headers of IP and ICMP take 28.
const (
	minPing = 8
	maxPing = 65507
)

var defaultPing = Ping{Size: minPing}

// Kind returns "ping".
func (Ping) Kind() string { return "ping" }

// Needs returns NeedsAddress.
func (Ping) Needs() Needs { return NeedsAddress }

// Validate implements Settings.
func (s Ping) Validate() FieldErrors {
	var errs FieldErrors
	if s.Size != 0 && (s.Size < minPing || s.Size > maxPing) {
		errs.Addf("size", "must be from %d to %d, not %d", minPing, maxPing, s.Size)
	}
	return errs
}

func (s Ping) prober(t *Tools, to Target) Prober { return t.pings.prober(to, max(s.Size, minPing)) }

type pingProber struct {
	dialer  // for the words of errors
	sockets *pingSockets
	socket  *pingSocket
	to      netip.Addr
	size    int
}

// Close gives the shared socket back.
func (p *pingProber) Close() error {
	p.sockets.release(p.socket)
	return nil
}

// Probe implements Prober.
func (p *pingProber) Probe(ctx context.Context) error {
	e := &echo{to: p.to, size: p.size, cookie: rand.Uint64(), done: make(chan struct{})}
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
