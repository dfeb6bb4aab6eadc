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
	// ExpectHex is how the answer must begin, in pairs of hexadecimal digits; a digit
	// x is any. "": anyhow.
	ExpectHex string
	// MinLength and MaxLength bound the length of the answer in bytes. A MaxLength of
	// 0 is none.
	MinLength, MaxLength int
	// SilenceOK accepts a server that does not answer. An ICMP error from it (nobody
	// listens on the port) is then a failure, and so is a wrong answer. Each attempt
	// at a silent server lasts until its timeout.
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
	if _, err := parseHexPattern(s.ExpectHex); err != nil {
		errs.Addf("expect_hex", "%v", err)
	}
	if s.MinLength < 0 || s.MaxLength < 0 {
		errs.Addf("min_length", "must not be negative, nor max_length")
	}
	if s.MaxLength != 0 && s.MaxLength < s.MinLength {
		errs.Addf("max_length", "must be at least min_length, %d, not %d", s.MinLength, s.MaxLength)
	}
	return errs
}

func (s UDP) prober(_ *Tools, to Target) Prober {
	p := &udpProber{dialer: newDialer(to, unix.SOCK_DGRAM), settings: s, send: []byte(s.Send), expect: compile(s.Expect)}
	p.expectHex, _ = parseHexPattern(s.ExpectHex) // valid settings do not fail
	return p
}

// A udpProber connects its socket, so that the kernel reports ICMP errors.
type udpProber struct {
	dialer
	settings  UDP
	send      []byte
	expect    *regexp.Regexp // nil: anything
	expectHex hexPattern
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
	case err != nil && p.settings.SilenceOK && errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case err != nil:
		return p.failed("answer", err)
	}
	return p.judge(buf[:n])
}

// judge returns what is wrong with an answer.
func (p *udpProber) judge(answer []byte) error {
	switch n := len(answer); {
	case n < p.settings.MinLength:
		return fmt.Errorf("answer %s has %d bytes, want at least %d", excerpt(answer), n, p.settings.MinLength)
	case p.settings.MaxLength > 0 && n > p.settings.MaxLength:
		return fmt.Errorf("answer %s has %d bytes, want at most %d", excerpt(answer), n, p.settings.MaxLength)
	case !p.expectHex.match(answer):
		return fmt.Errorf("answer %x does not begin with %s", answer[:min(n, maxExcerpt)], p.settings.ExpectHex)
	case p.expect != nil && !p.expect.Match(answer):
		return fmt.Errorf("answer %s does not match %q", excerpt(answer), p.expect)
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
