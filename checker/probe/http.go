package probe

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// HTTP sends one HTTP/1.1 request and reads the whole answer. It follows no
// redirect: the server that a redirect names is another one, and the answer of
// this one is the redirect.
type HTTP struct {
	Method string        // GET, HEAD, ...
	Host   string        // Host header; "": the address
	Path   string        // with the query
	Status []StatusRange // one of them must contain the status code
	Body   string        // regular expression that the body must match; "": any body
	TLS    *TLS          // nil: without TLS. Its name is by default that of Host.
}

var (
	defaultHTTP  = HTTP{Method: http.MethodGet, Path: "/", Status: []StatusRange{{200, 299}}}
	defaultHTTPS = HTTP{Method: http.MethodGet, Path: "/", Status: []StatusRange{{200, 299}}, TLS: DefaultTLS()}
)

// A StatusRange is a range of HTTP status codes, both ends included.
type StatusRange struct{ Low, High int }

// String returns "200" or "200-299".
func (r StatusRange) String() string {
	if r.Low == r.High {
		return strconv.Itoa(r.Low)
	}
	return fmt.Sprintf("%d-%d", r.Low, r.High)
}

// Kind returns "https" with TLS, otherwise "http".
func (s HTTP) Kind() string {
	if s.TLS != nil {
		return "https"
	}
	return "http"
}

// Needs returns NeedsPort.
func (HTTP) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s HTTP) Validate() FieldErrors {
	var errs FieldErrors
	if !isToken(s.Method) {
		errs.Addf("method", "%q is not an HTTP method", s.Method)
	}
	if !strings.HasPrefix(s.Path, "/") || !isVisible(s.Path) {
		errs.Addf("path", "must begin with / and have no spaces or control characters, not %q", s.Path)
	}
	if !isVisible(s.Host) || strings.ContainsAny(s.Host, "/?#@") {
		errs.Addf("host", "%q is not a host name", s.Host)
	}
	if len(s.Status) == 0 {
		errs.Addf("status", "at least one status code is needed")
	}
	for _, r := range s.Status {
		if r.Low < 200 || r.High > 599 || r.Low > r.High {
			errs.Addf("status", "%v is not a range of final status codes (200 to 599)", r)
		}
	}
	errs.pattern("body", s.Body)
	if s.Body != "" && s.Method == http.MethodHead {
		errs.Addf("body", "the answer to HEAD has no body")
	}
	s.TLS.validate(&errs)
	return errs
}

// isToken reports whether s is a token of RFC 9110 §5.6.2.
func isToken(s string) bool {
	const special = "!#$%&'*+-.^_`|~"
	for _, r := range s {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if !letter && !strings.ContainsRune(special, r) {
			return false
		}
	}
	return s != ""
}

// isVisible reports whether s has only visible ASCII characters. Any other
// character would end or break the request line or the header.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

func (s HTTP) prober(_ *Tools, to Target) Prober { return newHTTPProber(s, to) }

// An httpProber makes a new connection for each request.
//
// It writes to the connection and reads from it itself, because each request is
// the same bytes. The pool, goroutines and copies of http.Transport would be
// most of the cost of a check.
type httpProber struct {
	dialer
	request []byte
	head    *http.Request // tells http.ReadResponse the method
	status  []StatusRange
	body    *regexp.Regexp // nil: any body
	tls     *TLSClient     // nil: without TLS
}

func newHTTPProber(s HTTP, to Target) *httpProber {
	host := s.Host
	if host == "" {
		host = hostOf(to.Address, s.TLS != nil)
	}
	return &httpProber{
		dialer: newDialer(to, unix.SOCK_STREAM, sendAtOnce),
		request: fmt.Appendf(nil,
			"%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: holdfast\r\nAccept: */*\r\nConnection: close\r\n\r\n",
			s.Method, s.Path, host),
		head:   &http.Request{Method: s.Method},
		status: s.Status,
		body:   compile(s.Body),
		tls:    NewTLSClient(s.TLS, nameOf(host), "http/1.1"),
	}
}

// sendAtOnce turns off Nagle's algorithm (RFC 9293 §3.7.4). With it the request
// would wait for the ACK of the end of the TLS handshake.
func sendAtOnce(fd int) error {
	return os.NewSyscallError("set TCP_NODELAY", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
}

// hostOf returns the Host header of a request to an address. It leaves out the
// port that the scheme implies and the IPv6 zone (RFC 6874 §4).
func hostOf(to netip.AddrPort, secure bool) string {
	addr, port := to.Addr().Unmap().WithZone(""), to.Port()
	if !secure && port == 80 || secure && port == 443 {
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
	secure, err := p.tls.Secure(conn)
	if err != nil {
		return p.failed("TLS", err)
	}
	return p.ask(secure)
}

// Warning implements Warner.
func (p *httpProber) Warning() string { return p.tls.Warning() }

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
	cut, err := r.readBody(answer.Body, p.body != nil)
	switch {
	case err != nil:
		return p.failed("body", err)
	case p.body == nil || p.body.Match(r.body.Bytes()):
		return nil
	case cut:
		return fmt.Errorf("body %s does not match %q in its first MiB, and the rest is not read", excerpt(r.body.Bytes()), p.body)
	}
	return fmt.Errorf("body %s does not match %q", excerpt(r.body.Bytes()), p.body)
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
