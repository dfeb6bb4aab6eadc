package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"golang.org/x/sys/unix"
)

// TCP asks whether the server accepts a connection, and on request what it says there.
type TCP struct {
	Send   string // what is sent; "": nothing
	Expect string // regular expression that the answer so far must match; "": any answer, or none
}

// Kind returns "tcp".
func (TCP) Kind() string { return "tcp" }

// Needs returns NeedsPort.
func (TCP) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s TCP) Validate() FieldErrors {
	var errs FieldErrors
	errs.pattern("expect", s.Expect)
	return errs
}

func (s TCP) prober(_ *Tools, to Target) Prober {
	if s == (TCP{}) {
		return newTCPProber(to)
	}
	return &talkProber{dialer: newDialer(to, unix.SOCK_STREAM), send: []byte(s.Send), expect: compile(s.Expect)}
}

// A tcpProber connects and ends the connection with a reset.
//
// An ordinary close leaves the connection in TIME_WAIT for a minute after each
// attempt, on the director or on the server. A reset leaves nothing behind.
// The prober also holds back the last ACK of the handshake. The server's kernel
// then drops the half-open connection: it does not wake its process, which has
// no "connection reset by peer" to log. A process that accepts no connections
// is found all the same: when its accept queue is full, its kernel does not
// answer a SYN.
type tcpProber struct {
	dialer
	steps tcpSteps // of the latest attempt: ten thousand checks a second leave no garbage
}

func newTCPProber(to Target) *tcpProber {
	return &tcpProber{dialer: newDialer(to, unix.SOCK_STREAM, holdBackACK, resetAtClose)}
}

// holdBackACK makes the socket delay the ACK of the server's SYN-ACK
// (tcp_rcv_synsent_state_process in net/ipv4/tcp_input.c).
func holdBackACK(fd int) error {
	return failedCall("clear TCP_QUICKACK", setOption(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0))
}

func resetAtClose(fd int) error {
	return failedCall("set SO_LINGER", setReset(fd))
}

// Probe implements Prober.
func (p *tcpProber) Probe(ctx context.Context) error {
	s, err := p.dial(ctx)
	if err != nil {
		return err
	}
	_ = s.Close() // its error says nothing about the server
	return nil
}

// Start implements Stepper.
func (p *tcpProber) Start() Steps {
	p.steps.dialer = &p.dialer
	p.steps.err = p.steps.open(&p.dialer)
	return &p.steps
}

// tcpSteps are an attempt of a tcpProber.
type tcpSteps struct {
	line
	dialer *dialer
	err    error
}

// Step implements Steps.
func (s *tcpSteps) Step() Progress {
	var connected bool
	if s.err == nil {
		connected, s.err = s.reach(s.dialer)
	}
	if s.err == nil && !connected {
		return Waiting
	}
	s.close()
	return Done
}

// Result implements Steps.
func (s *tcpSteps) Result() (*Weight, error) { return nil, s.err }

// Rest implements Steps. It is never needed.
func (s *tcpSteps) Rest(context.Context) (*Weight, error) { return nil, s.err }

// Expire implements Steps.
func (s *tcpSteps) Expire() {
	s.close()
	s.err = s.dialer.failed("connect", context.DeadlineExceeded)
}

// A talkProber sends something, and waits until the answer matches.
type talkProber struct {
	dialer
	send   []byte
	expect *regexp.Regexp // nil: no answer is awaited
}

// Probe implements Prober.
func (p *talkProber) Probe(ctx context.Context) error {
	conn, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if len(p.send) > 0 {
		if _, err := conn.Write(p.send); err != nil {
			return p.failed("request", err)
		}
	}
	if p.expect == nil {
		return nil
	}
	return p.await(conn)
}

// await reads until what has come matches. It cannot read by a RuneReader, which would
// wait for what follows a match.
func (p *talkProber) await(conn io.Reader) error {
	buf := datagrams.Get().(*[1 << 16]byte)
	defer datagrams.Put(buf)
	n := 0
	for n < len(buf) {
		more, err := conn.Read(buf[n:])
		n += more
		switch {
		case more > 0 && p.expect.Match(buf[:n]):
			return nil
		case err == nil:
		case n == 0:
			return p.failed("answer", err)
		case errors.Is(err, io.EOF):
			return p.mismatch(buf[:n], "before the server closed the connection")
		case errors.Is(err, os.ErrDeadlineExceeded):
			return p.mismatch(buf[:n], fmt.Sprintf("until the timeout after %v", p.timeout))
		default:
			return p.failed("answer", err)
		}
	}
	return p.mismatch(buf[:n], "in the part that is read")
}

func (p *talkProber) mismatch(answer []byte, when string) error {
	return fmt.Errorf("answer %s does not match %q %s", excerpt(answer), p.expect, when)
}
