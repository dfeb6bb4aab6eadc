package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"sync"

	"golang.org/x/sys/unix"
)

// UDP sends a datagram and waits for an answer.
type UDP struct {
	Send   string // the bytes of the datagram, at most 65507
	Expect string // regular expression that the answer must match; "": any datagram
	// SilenceOK accepts a server that does not answer. Only an ICMP error from
	// it (nobody listens on the port) is then a failure, and each attempt at a
	// silent server lasts until its timeout.
	SilenceOK bool
}

// Kind returns "udp".
func (UDP) Kind() string { return "udp" }

// Needs returns NeedsPort.
func (UDP) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s UDP) Validate() FieldErrors {
	var errs FieldErrors
	// RFC 768: 65535 bytes less the headers of UDP and of IPv4.
	if n := len(s.Send); n > 65507 {
		errs.Addf("send", "a datagram holds at most 65507 bytes, not %d", n)
	}
	errs.pattern("expect", s.Expect)
	if s.SilenceOK && s.Expect != "" {
		errs.Addf("expect", "has no effect with silence_ok = true")
	}
	return errs
}

func (s UDP) prober(_ *Tools, to Target) Prober {
	return &udpProber{
		dialer: newDialer(to, unix.SOCK_DGRAM),
		send:   []byte(s.Send), expect: compile(s.Expect), silenceOK: s.SilenceOK,
	}
}

// A udpProber connects its socket, so that the kernel reports ICMP errors.
type udpProber struct {
	dialer
	send      []byte
	expect    *regexp.Regexp // nil: anything
	silenceOK bool
}

// Probe implements Prober.
func (p *udpProber) Probe(ctx context.Context) error {
	conn, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(p.send); err != nil {
		return p.failed("request", err)
	}
	buf := datagrams.Get().(*[1 << 16]byte)
	defer datagrams.Put(buf)
	n, err := receive(conn, buf[:])
	switch {
	case err != nil && p.silenceOK && errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case err != nil:
		return p.failed("answer", err)
	case p.expect != nil && !p.expect.Match(buf[:n]):
		return fmt.Errorf("answer %s does not match %q", excerpt(buf[:n]), p.expect)
	}
	return nil
}

// datagrams are buffers for the largest answer that UDP can carry.
var datagrams = sync.Pool{New: func() any { return new([1 << 16]byte) }}

// receive reads one datagram, which may be empty.
func receive(conn *socket, buf []byte) (int, error) {
	n, err := conn.Read(buf)
	if errors.Is(err, io.EOF) {
		return 0, nil
	}
	return n, err
}
