package probe

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// maxHeard is how many bytes of an answer are read in steps, and maxLooks how often they
// are looked at before all have come.
const (
	maxHeard = 16 << 10
	maxLooks = 4
)

// maxOneWrite is the longest request that goes out at once: what fits one TCP segment.
const maxOneWrite = 1200

// inSteps reports whether the check can be made in steps: one short request without TLS.
func (p *httpProber) inSteps() bool {
	first := p.asks[0].message
	return len(p.asks) == 1 && !first.at.secure && p.settings.Version != "2" && len(first.wire) <= maxOneWrite
}

// Start implements Stepper.
func (p *httpProber) Start() Steps {
	if !p.inSteps() || p.kept != nil {
		return nil
	}
	p.warning = ""
	s := &httpSteps{p: p, line: p.resting, step: "connect"}
	p.resting = line{fd: -1}
	if s.fd >= 0 && !isQuiet(s.fd) {
		s.close()
	}
	if s.stale = s.fd >= 0; !s.stale {
		s.err = s.open(&p.dialer)
	}
	return s
}

// httpSteps are an attempt of an httpProber that sends one request and gets a short
// answer. Anything else is left to its Rest.
type httpSteps struct {
	line
	p      *httpProber
	stale  bool   // the connection rested, and the server has not answered on it
	asked  bool   // the request was sent
	step   string // for the words of an error
	heard  *[maxHeard]byte
	n      int // bytes in heard
	ended  bool
	looks  int
	weight *Weight
	err    error
}

var heards = sync.Pool{New: func() any { return new([maxHeard]byte) }}

// Step implements Steps.
func (s *httpSteps) Step() Progress {
	p := s.advance()
	if s.err != nil && s.stale { // the server had ended the connection (RFC 9112 §9.5)
		s.again()
		p = s.advance()
	}
	return s.end(p)
}

// advance connects, asks and listens, until it would have to wait.
func (s *httpSteps) advance() Progress {
	if s.err == nil && !s.asked {
		s.ask()
		// An answer takes a while; that a connection had ended is known at once.
		if s.err == nil && !(s.asked && s.stale) {
			return Waiting
		}
	}
	if s.err != nil {
		return Done
	}
	return s.listen()
}

// ask sends the request, once the socket has connected: to send before fails with EAGAIN
// (sk_stream_wait_connect in net/core/stream.c), or with what ended the attempt to connect.
func (s *httpSteps) ask() {
	wire := s.p.asks[0].message.wire
	n, errno := sendNow(s.fd, wire)
	switch {
	case errno == 0 && n == len(wire):
		s.connected, s.asked, s.step = true, true, "answer"
	case errno == 0: // the buffer of a socket takes more
		s.err = s.p.failed("request", io.ErrShortWrite)
	case wouldWait(errno):
	case s.connected || errno == unix.ECONNRESET || errno == unix.EPIPE:
		s.err = s.p.failed("request", os.NewSyscallError("write", errno))
	default:
		s.err = s.p.failed("connect", os.NewSyscallError("connect", errno))
	}
}

// again begins anew on a new connection.
func (s *httpSteps) again() {
	s.close()
	s.stale, s.asked, s.ended, s.step = false, false, false, "connect"
	s.err = s.open(&s.p.dialer)
}

// listen reads what has come, and looks whether it is the whole answer. It reads until
// nothing is left, because the poller tells only once of an end that came with bytes.
func (s *httpSteps) listen() Progress {
	if s.heard == nil {
		s.heard = heards.Get().(*[maxHeard]byte)
	}
	for {
		if p, more := s.read(); !more {
			if s.n == 0 {
				s.free()
			}
			return p
		}
		if p := s.look(); p != Waiting {
			return p
		}
	}
}

// read reads once. more reports whether there is anything new to look at.
func (s *httpSteps) read() (p Progress, more bool) {
	n, errno := readNow(s.fd, s.heard[s.n:])
	switch {
	case errno != 0 && wouldWait(errno):
		return Waiting, false
	case errno != 0:
		s.err = s.p.failed(s.step, os.NewSyscallError("read", errno))
		return Done, false
	case n == 0:
		s.ended = true
	}
	s.n += n
	if s.n > 0 {
		s.stale = false
	}
	return Waiting, true
}

// look judges the answer if it is whole.
func (s *httpSteps) look() Progress {
	q := &s.p.asks[0]
	if q.plain {
		if a, whole := plainAnswer(s.heard[:s.n]); whole && q.want.status(a.status) && a.length <= s.p.settings.MaxBody {
			s.rest(!a.closes && !a.more)
			return Done
		}
	}
	r := readers.Get().(*reader)
	defer r.release()
	source := &heard{bytes: s.heard[:s.n], ended: s.ended}
	r.reset(source)
	answer, err := r.answer(q.message.head) //nolint:bodyclose // what it reads is in memory
	if err == nil {
		s.step = "body"
		m, settings := q.message, &s.p.settings
		if !q.want.status(answer.StatusCode) && (m.challenged(answer, settings) || settings.Redirects > 0) {
			return Long
		}
		if answer.Header.Get("Content-Encoding") != "" { // some bytes can be a long text
			return Long
		}
		left := settings.MaxBody
		var found findings
		found, err = q.want.judge(answer, &left)
		if !source.starved {
			a := &attempt{httpProber: s.p}
			s.err = a.failedBody(err)
			a.weigh(found)
			s.weight = a.weight
			s.rest(found.ended && !answer.Close && r.buf.Buffered()+len(source.bytes) == 0)
			return Done
		}
	}
	if source.starved {
		return s.wantMore()
	}
	if isWithItself(s.fd, &s.p.to) { // it hears its own request
		s.err = s.p.failed("connect", unix.ECONNREFUSED)
		return Done
	}
	s.err = s.p.failed("answer", err)
	return Done
}

// wantMore returns whether to wait for more of the answer in steps.
func (s *httpSteps) wantMore() Progress {
	if s.looks++; s.looks >= maxLooks || s.n == maxHeard {
		return Long
	}
	return Waiting
}

// rest keeps the connection for the next attempt, if it can.
func (s *httpSteps) rest(possible bool) {
	if possible && s.err == nil && s.p.settings.Reuse && isIdempotent(s.p.asks[0].message.method) {
		s.p.resting, s.line = s.line, line{fd: -1}
	}
}

// end ends the attempt if it is done.
func (s *httpSteps) end(p Progress) Progress {
	if p == Done {
		s.hangUp()
		s.free()
	}
	return p
}

// hangUp closes the connection. One that the server has ended already gets a reset: there
// is nothing left to lose, and the server does not keep it for a minute in TIME_WAIT.
func (s *httpSteps) hangUp() {
	if s.fd >= 0 && s.err == nil && s.hasEnded() {
		_ = setReset(s.fd) // without it, the end is an ordinary one
	}
	s.close()
}

// hasEnded reports whether the server has ended the connection.
func (s *httpSteps) hasEnded() bool {
	if s.ended {
		return true
	}
	n, errno := readNow(s.fd, s.heard[:1])
	return errno == 0 && n == 0
}

func (s *httpSteps) free() {
	if s.heard != nil {
		heards.Put(s.heard)
		s.heard = nil
	}
}

// Result implements Steps.
func (s *httpSteps) Result() (*Weight, error) { return s.weight, s.err }

// Expire implements Steps.
func (s *httpSteps) Expire() {
	s.err = s.p.failed(s.step, context.DeadlineExceeded)
	s.weight = nil
	s.end(Done)
}

// Rest implements Steps.
func (s *httpSteps) Rest(ctx context.Context) (*Weight, error) {
	conn := s.p.take(ctx, s.fd)
	first := bytes.Clone(s.heard[:s.n])
	s.free()
	q := &s.p.asks[0]
	a := &attempt{httpProber: s.p, ctx: ctx, left: s.p.settings.MaxBody}
	a.open = &channel{
		at: q.message.at, dialer: &s.p.dialer, socket: conn, sent: true,
		conn: &resumed{conn, first}, r: readers.Get().(*reader),
	}
	if err := a.ask(q); err != nil {
		a.end(false)
		return nil, err
	}
	a.end(true)
	return a.weight, nil
}

// A resumed connection has what was read of it before.
type resumed struct {
	net.Conn
	before []byte
}

func (r *resumed) Read(b []byte) (int, error) {
	if len(r.before) > 0 {
		n := copy(b, r.before)
		r.before = r.before[n:]
		return n, nil
	}
	return r.Conn.Read(b)
}

// heard reads what has come of an answer.
type heard struct {
	bytes   []byte
	ended   bool // nothing more comes
	starved bool // more was wanted
}

var errStarved = errors.New("the rest has not come yet")

func (h *heard) Read(b []byte) (int, error) {
	if len(h.bytes) > 0 {
		n := copy(b, h.bytes)
		h.bytes = h.bytes[n:]
		return n, nil
	}
	if h.ended {
		return 0, io.EOF
	}
	h.starved = true
	return 0, errStarved
}
