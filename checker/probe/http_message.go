package probe

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A message is one request to the server.
type message struct {
	at      origin
	method  string
	host    string // Host header
	path    string // with the query
	headers []Field
	body    string
	proves  bool // it answers the server's question for the password

	wire []byte        // as HTTP/1 sends it
	head *http.Request // tells http.ReadResponse the method
}

// An origin is where a message is sent on the server.
type origin struct {
	port   uint16
	secure bool   // TLS
	name   string // the server's name in the TLS handshake; "": without TLS
}

// newMessage returns the message of a request to the server at an address.
func (s *HTTP) newMessage(r *HTTPRequest, to netip.AddrPort, last bool) *message {
	m := &message{at: origin{port: to.Port()}, method: r.Method, host: r.Host, path: r.Path, body: r.Send}
	if m.host == "" {
		m.host = hostOf(to, s.TLS != nil)
	}
	if s.TLS != nil {
		m.at.secure, m.at.name = true, nameOf(m.host)
	}
	m.headers = []Field{{"User-Agent", "holdfast"}, {"Accept", "*/*"}}
	if s.User != "" && s.Auth == AuthBasic {
		m.headers = append(m.headers, basicAuth(&s.Login))
	}
	asksOnce := s.Redirects == 0 && (s.User == "" || s.Auth == AuthBasic)
	if last && !s.Reuse && asksOnce && s.Version == "1.1" {
		m.headers = append(m.headers, Field{"Connection", "close"})
	}
	for _, h := range r.Headers {
		m.headers = slices.DeleteFunc(m.headers, func(ours Field) bool { return strings.EqualFold(ours.Name, h.Name) })
	}
	m.headers = append(m.headers, r.Headers...)
	m.write(s)
	return m
}

// write makes the form of HTTP/1.
func (m *message) write(s *HTTP) {
	target := m.path
	if s.Proxy { // RFC 9112 §3.2.2
		target = "http://" + m.host + m.path
	}
	b := fmt.Appendf(nil, "%s %s HTTP/%s\r\nHost: %s\r\n", m.method, target, s.Version, m.host)
	for _, h := range m.headers {
		b = fmt.Appendf(b, "%s: %s\r\n", h.Name, h.Value)
	}
	if m.body != "" || m.method == http.MethodPost || m.method == http.MethodPut || m.method == http.MethodPatch {
		b = fmt.Appendf(b, "Content-Length: %d\r\n", len(m.body))
	}
	b = append(b, "\r\n"...)
	b = append(b, m.body...)
	m.wire = b
	m.head = &http.Request{Method: m.method}
}

// url is the URL that the message asks for.
func (m *message) url() *url.URL {
	u, err := url.ParseRequestURI(m.path)
	if err != nil { // a server may understand it all the same
		u = &url.URL{Opaque: m.path}
	}
	u.Scheme, u.Host = "http", m.host
	if m.at.secure {
		u.Scheme = "https"
	}
	return u
}

// redirected returns the message to which an answer redirects. It returns nil if the
// answer redirects nowhere, to another host, or to what the check has no settings for.
func (m *message) redirected(answer *http.Response, s *HTTP) *message {
	location := answer.Header.Get("Location")
	if !isRedirect(answer.StatusCode) || location == "" {
		return nil
	}
	to, err := m.url().Parse(location)
	if err != nil || !strings.EqualFold(to.Hostname(), nameOf(m.host)) {
		return nil
	}
	next := *m
	next.proves = false
	if s.Auth == AuthDigest || !strings.EqualFold(to.Scheme, m.url().Scheme) { // a proof is for one path, a password not for the clear
		next.headers = m.anonymous()
	}
	var ok bool
	next.host, next.path = to.Host, to.RequestURI()
	if next.at, ok = m.redirectedTo(to, s); !ok || !isVisible(next.host) || !isVisible(next.path) {
		return nil
	}
	// RFC 9110 §15.4.4: what follows is a GET, except where the status keeps the method.
	switch answer.StatusCode {
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		if m.method != http.MethodHead {
			next.method, next.body = http.MethodGet, ""
		}
	}
	next.write(s)
	return &next
}

func isRedirect(code int) bool {
	switch code {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// redirectedTo returns where on the server a redirect leads. A port in a URL is the
// one that clients see, which can differ from the server's own. So a URL that differs
// in its path alone is asked for where the redirect came from.
func (m *message) redirectedTo(to *url.URL, s *HTTP) (at origin, ok bool) {
	from := m.url()
	switch {
	case to.Scheme == from.Scheme && strings.EqualFold(to.Host, from.Host), s.Proxy && to.Scheme == "http":
		return m.at, true
	case to.Scheme == "http":
		at = origin{port: 80}
	case to.Scheme == "https" && s.TLS != nil:
		at = origin{443, true, nameOf(m.host)}
	default:
		return at, false
	}
	if text := to.Port(); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return at, false
		}
		at.port = uint16(n)
	}
	return at, true
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
