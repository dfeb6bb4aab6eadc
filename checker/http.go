package checker

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// maxBody is how much of an answer's body is read, in bytes; maxHead is how
// much may come before it.
const (
	maxBody = 1 << 20
	maxHead = 64 << 10
)

// An httpProber sends one HTTP/1.1 request on a connection of its own and reads
// the whole answer. It follows no redirect: what answers there is another
// server, and this one has said what it says.
//
// It writes and reads the connection itself, because a request is the same
// bytes every time, and the pool, the goroutines and the copies of
// http.Transport would be most of the cost of a check.
type httpProber struct {
	caller
	request []byte
	head    *http.Request // tells http.ReadResponse the method
	status  []StatusRange
	body    *regexp.Regexp
	tls     *tls.Config // nil: plain
	resume  *session
}

func newHTTPProber(c *Config) *httpProber {
	h := &c.HTTP
	p := &httpProber{
		caller: newCaller(c, unix.SOCK_STREAM, sendAtOnce),
		head:   &http.Request{Method: h.Method},
		status: h.Status,
		body:   h.Body,
	}
	host := h.Host
	if host == "" {
		host = hostOf(c)
	}
	p.request = fmt.Appendf(nil,
		"%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: holdfast\r\nAccept: */*\r\nConnection: close\r\n\r\n",
		h.Method, h.Path, host)
	if c.Kind == HTTPS {
		p.resume = new(session)
		p.tls = h.TLS.Clone()
		p.tls.ClientSessionCache = p.resume
		if p.tls.ServerName == "" {
			p.tls.ServerName = nameOf(host)
		}
		if p.tls.NextProtos == nil {
			p.tls.NextProtos = []string{"http/1.1"}
		}
	}
	return p
}

// sendAtOnce keeps the request from waiting for the ACK of what was sent before
// it, as the end of a TLS handshake (Nagle's algorithm, RFC 9293 §3.7.4).
func sendAtOnce(fd int) error {
	return os.NewSyscallError("set TCP_NODELAY", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
}

// hostOf returns the Host header of a request to the address of c: without the
// port that the scheme implies, and without an IPv6 zone (RFC 6874 §4).
func hostOf(c *Config) string {
	addr, port := c.Address.Addr().Unmap().WithZone(""), c.Address.Port()
	if c.Kind == HTTP && port == 80 || c.Kind == HTTPS && port == 443 {
		if addr.Is6() {
			return "[" + addr.String() + "]"
		}
		return addr.String()
	}
	return netip.AddrPortFrom(addr, port).String()
}

// nameOf returns the host name or address in a Host header.
func nameOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

// Probe implements Prober.
func (p *httpProber) Probe(ctx context.Context) error {
	conn, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if p.tls == nil {
		return p.ask(conn)
	}
	secure := tls.Client(conn, p.tls)
	if err := secure.Handshake(); err != nil {
		return p.failed("TLS", err)
	}
	p.resume.made(secure.ConnectionState().DidResume)
	return p.ask(secure)
}

// ask sends the request and judges the answer.
func (p *httpProber) ask(conn net.Conn) error {
	if _, err := conn.Write(p.request); err != nil {
		return p.failed("request", err)
	}
	r := readers.Get().(*reader)
	defer r.release()
	r.reset(conn)
	answer, err := r.answer(p.head) //nolint:bodyclose // that would only read on
	if err != nil {
		return p.failed("answer", err)
	}
	if !p.wants(answer.StatusCode) {
		return p.unwanted(answer)
	}
	if err := r.readBody(answer.Body, p.body != nil); err != nil {
		return p.failed("body", err)
	}
	if p.body != nil && !p.body.Match(r.body.Bytes()) {
		return fmt.Errorf("body %s does not match %q", excerpt(r.body.Bytes()), p.body)
	}
	return nil
}

func (p *httpProber) wants(code int) bool {
	for _, r := range p.status {
		if r.Low <= code && code <= r.High {
			return true
		}
	}
	return false
}

func (p *httpProber) unwanted(answer *http.Response) error {
	text := "HTTP " + strconv.Itoa(answer.StatusCode)
	if reason := http.StatusText(answer.StatusCode); reason != "" {
		text += " " + reason
	}
	if to := answer.Header.Get("Location"); to != "" {
		text += " to " + excerpt([]byte(to))
	}
	wanted := make([]string, len(p.status))
	for i, r := range p.status {
		wanted[i] = r.String()
	}
	return fmt.Errorf("%s, want %s", text, strings.Join(wanted, ", "))
}

// excerpt returns the beginning of what a server said, quoted.
func excerpt(b []byte) string {
	const most = 60
	if len(b) <= most {
		return strconv.Quote(string(b))
	}
	return strconv.Quote(string(b[:most])) + fmt.Sprintf("... (%d bytes)", len(b))
}

// A reader reads one answer. It is reused: its buffer is most of what a check
// would allocate.
type reader struct {
	limit io.LimitedReader
	buf   *bufio.Reader
	body  bytes.Buffer
}

var readers = sync.Pool{New: func() any { return &reader{buf: bufio.NewReader(nil)} }}

func (r *reader) reset(conn net.Conn) {
	r.limit = io.LimitedReader{R: conn, N: maxHead}
	r.buf.Reset(&r.limit)
	r.body.Reset()
}

func (r *reader) release() {
	r.limit.R = nil
	r.buf.Reset(nil)
	if r.body.Cap() > maxHead { // a rare large body is not kept for ever
		r.body = bytes.Buffer{}
	}
	readers.Put(r)
}

// answer returns the final answer's head, interim ones (RFC 9110 §15.2) left out.
func (r *reader) answer(to *http.Request) (*http.Response, error) {
	for {
		answer, err := http.ReadResponse(r.buf, to)
		switch {
		case err != nil && r.limit.N == 0:
			return nil, fmt.Errorf("the head is longer than %d bytes", maxHead)
		case err != nil:
			return nil, err
		case answer.StatusCode >= 200:
			r.limit.N = math.MaxInt64 // readBody has a limit of its own
			return answer, nil
		}
	}
}

// readBody reads body as far as maxBody, keeping it if wanted: an answer that
// ends before its end is no good answer, and closing on one unread would be a
// reset that some servers log.
func (r *reader) readBody(body io.Reader, keep bool) error {
	var to io.Writer = io.Discard
	if keep {
		to = &r.body
	}
	if _, err := io.CopyN(to, body, maxBody); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
