package probe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func (s HTTP) prober(_ *Tools, to Target) Prober { return newHTTPProber(s, to) }

// An httpProber sends the requests of one check, by default on a new connection for
// each attempt.
//
// With HTTP/1 it writes to the connection and reads from it itself, because each
// request is the same bytes. The pool, goroutines and copies of http.Transport would
// be most of the cost of a check. HTTP/2 is net/http's (http2.go).
type httpProber struct {
	dialer
	settings HTTP
	asks     []inquiry
	tls      map[string]*TLSClient // by the server's name; empty without TLS
	kept     *channel              // from the attempt before; nil: none
	resting  line                  // the same of an attempt in steps
	warning  string                // of the latest attempt
}

// An inquiry is one request with what its answer must be.
type inquiry struct {
	message *message
	want    *expectation
	plain   bool // plainAnswer can tell whether an answer is well
}

func newHTTPProber(s HTTP, to Target) *httpProber {
	p := &httpProber{settings: s, tls: map[string]*TLSClient{}, resting: line{fd: -1}}
	protocol := "http/1.1"
	if s.Version == "2" {
		protocol = "h2"
	}
	requests := s.requests()
	for i := range requests {
		m := s.newMessage(&requests[i], to.Address, i == len(requests)-1)
		want := newExpectation(&requests[i], &s)
		p.asks = append(p.asks, inquiry{m, want, want.wantsStatus() && m.method != http.MethodHead})
		if name := m.at.name; p.tls[name] == nil && m.at.secure {
			p.tls[name] = NewTLSClient(s.TLS, name, protocol)
		}
	}
	p.dialer = newDialer(to, unix.SOCK_STREAM, p.options()...)
	return p
}

// options returns the socket options that speed up the check.
func (p *httpProber) options() []socketOption {
	if p.inSteps() {
		return []socketOption{holdBackACK} // the request brings it
	}
	return []socketOption{sendAtOnce}
}

// sendAtOnce turns off Nagle's algorithm (RFC 9293 §3.7.4). With it the request
// would wait for the ACK of the end of the TLS handshake.
func sendAtOnce(fd int) error {
	return os.NewSyscallError("set TCP_NODELAY", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
}

// Close ends the kept connection.
func (p *httpProber) Close() error {
	p.resting.close()
	if p.kept != nil {
		p.kept.close()
	}
	return nil
}

// Warning implements Warner.
func (p *httpProber) Warning() string {
	for _, q := range p.asks {
		if text := p.tls[q.message.at.name].Warning(); text != "" {
			return text
		}
	}
	return p.warning
}

// CertificateEnds implements CertificateHolder, for the certificate that ends first.
func (p *httpProber) CertificateEnds() (first time.Time) {
	for _, q := range p.asks {
		end := p.tls[q.message.at.name].CertificateEnds()
		if first.IsZero() || !end.IsZero() && end.Before(first) {
			first = end
		}
	}
	return first
}

// Probe implements Prober.
func (p *httpProber) Probe(ctx context.Context) error {
	_, err := p.ProbeWeight(ctx)
	return err
}

// ProbeWeight implements Weigher.
func (p *httpProber) ProbeWeight(ctx context.Context) (*Weight, error) {
	a := &attempt{httpProber: p, ctx: ctx, left: p.settings.MaxBody}
	p.warning = ""
	for i := range p.asks {
		if err := a.ask(&p.asks[i]); err != nil {
			a.end(false)
			return nil, p.inRequest(i, err)
		}
	}
	a.end(true)
	return a.weight, nil
}

// inRequest adds to a reason which request failed, if there are several.
func (p *httpProber) inRequest(i int, err error) error {
	if len(p.asks) == 1 {
		return err
	}
	return fmt.Errorf("request %d (%s): %w", i+1, p.asks[i].message.path, err)
}

// An attempt is one attempt of a check: its requests and the redirects that follow.
type attempt struct {
	*httpProber
	ctx    context.Context
	open   *channel // that carried the last message; nil: none
	left   int      // how many bytes of bodies may still be read
	weight *Weight
}

// end ends the attempt, and keeps its connection for the next one if it can.
func (a *attempt) end(well bool) {
	switch {
	case a.open == nil:
	case well && a.settings.Reuse && a.open.rest():
		a.kept = a.open
	default:
		a.open.close()
	}
}

// ask sends one request, follows its redirects and judges the answer.
func (a *attempt) ask(q *inquiry) error {
	m := q.message
	for followed := 0; ; followed++ {
		answer, err := a.exchange(m) //nolint:bodyclose // done is what ends it
		if err != nil {
			return err
		}
		if m.challenged(answer, &a.settings) && !q.want.status(answer.StatusCode) {
			next, err := m.proof(answer, &a.settings)
			if err := errors.Join(err, a.skip(answer)); err != nil {
				return err
			}
			m = next
			followed-- // the same request again is no redirect
			continue
		}
		if !q.want.status(answer.StatusCode) && followed < a.settings.Redirects {
			if next := m.redirected(answer, &a.settings); next != nil {
				if err := a.skip(answer); err != nil {
					return err
				}
				m = next
				continue
			}
		}
		found, err := q.want.judge(answer, &a.left)
		a.done(answer, found.ended)
		switch {
		case err == nil:
			a.weigh(found)
			return nil
		case followed > 0:
			return fmt.Errorf("%w (after %d redirects)", a.failedBody(err), followed)
		}
		return a.failedBody(err)
	}
}

// skip reads the body of an answer that is followed by another request.
func (a *attempt) skip(answer *http.Response) error {
	ended, err := readThrough(answer.Body, &a.left)
	if a.done(answer, ended); err != nil {
		return a.failed("body", err)
	}
	return nil
}

// failedBody adds the step to an error of reading the body. Other errors of judging
// say everything.
func (a *attempt) failedBody(err error) error {
	if e := (*readError)(nil); errors.As(err, &e) {
		return a.failed("body", e.err)
	}
	return err
}

// weigh takes over what an answer says of the weight.
func (a *attempt) weigh(found findings) {
	for _, text := range found.weights {
		w, err := ParseWeight(text)
		if err != nil {
			a.warning = "the server gives itself " + excerpt([]byte(text)) + ", which is not a weight"
			continue
		}
		a.weight = &w
	}
}

// exchange sends a message and returns the head of its answer. A server may end a
// connection that rests at any time (RFC 9112 §9.5), so a message that gets no answer
// on such a connection is sent again on a new one.
func (a *attempt) exchange(m *message) (*http.Response, error) {
	if err := a.connect(m, true); err != nil {
		return nil, err
	}
	answer, err := a.open.send(a.ctx, m)
	if err != nil && a.open.stale && a.ctx.Err() == nil {
		a.drop()
		if err := a.connect(m, false); err != nil {
			return nil, err
		}
		answer, err = a.open.send(a.ctx, m)
	}
	return answer, err
}

// connect sees that a connection is open for a message: the one that is, the kept one
// if old is set, or a new one.
func (a *attempt) connect(m *message, old bool) error {
	if a.open != nil && a.open.at != m.at {
		a.drop()
	}
	if a.open == nil && a.kept != nil && old && a.kept.at == m.at && isIdempotent(m.method) {
		kept := a.kept
		a.kept = nil
		kept.wake(a.ctx)
		a.open = kept
	}
	if a.open != nil {
		return nil
	}
	open, err := a.dialChannel(a.ctx, m)
	a.open = open
	return err
}

// isIdempotent reports whether a message may be sent twice (RFC 9110 §9.2.2).
func isIdempotent(method string) bool { return method != http.MethodPost && method != http.MethodPatch }

// done is called when no more of an answer is to be read. ended says whether its body
// was read to the end.
func (a *attempt) done(answer *http.Response, ended bool) {
	if !ended || !a.open.canGoOn(answer) {
		a.drop()
	}
}

// drop ends the open connection.
func (a *attempt) drop() {
	a.open.close()
	a.open = nil
}
