package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// startHTTP2 makes the connection one of HTTP/2 (RFC 9113). Without TLS the server must
// know that beforehand (§3.3).
func (c *channel) startHTTP2(ctx context.Context, m *message) error {
	if secure, ok := c.conn.(*tls.Conn); ok && secure.ConnectionState().NegotiatedProtocol != "h2" {
		return c.dialer.failed("TLS", errors.New("the server does not offer HTTP/2 (ALPN h2)"))
	}
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	ours := func(context.Context, string, string) (net.Conn, error) { return c.conn, nil }
	transport := &http.Transport{
		Protocols: &protocols, DialContext: ours, DialTLSContext: ours,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHead,
		// What nobody has read yet is in memory.
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 64 << 10},
	}
	// The address is never dialled, but it must have a port.
	h2, err := transport.NewClientConn(ctx, m.url().Scheme, net.JoinHostPort(nameOf(m.host), strconv.Itoa(int(m.at.port))))
	if err != nil {
		return c.failed2("request", err)
	}
	c.h2 = h2
	return nil
}

// http2Bound is how many bytes are read of a connection of HTTP/2 whose bodies are
// bounded: the head of each frame may be as long as what is in it.
func http2Bound(maxBody int) int { return 2*maxBody + maxAnswer }

// A bounded connection ends when the server has sent too much. Frames without a meaning,
// which a server may send for ever, count in no other bound.
type bounded struct {
	net.Conn
	most, read int // bytes
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.read >= b.most {
		return 0, fmt.Errorf("the server sent more than %d KiB without an end of its answer", b.most>>10)
	}
	n, err := b.Conn.Read(p[:min(len(p), b.most-b.read)])
	b.read += n
	return n, err
}

// sendHTTP2 sends a message over HTTP/2 and returns the head of the answer.
func (c *channel) sendHTTP2(ctx context.Context, m *message) (*http.Response, error) {
	r := &http.Request{Method: m.method, URL: m.url(), Host: m.host, Header: http.Header{}}
	for _, h := range m.headers {
		r.Header.Add(h.Name, h.Value)
	}
	if m.body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(m.body)), int64(len(m.body))
	}
	answer, err := c.h2.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, c.failed2("answer", err)
	}
	return answer, nil
}

// How net/http says what the server did. It exports no types for these errors.
var (
	goaway   = regexp.MustCompile(`GOAWAY.*ErrCode[:=]([A-Z0-9_]+)|graceful shutdown GOAWAY`)
	reset    = regexp.MustCompile(`^stream error: stream ID \d+; (\w+)`)
	broken   = regexp.MustCompile(`connection error: ([A-Z0-9_]+)`)
	tooLarge = regexp.MustCompile(`http2: frame too large`)
	notHTTP2 = regexp.MustCompile(`frame header looked like an HTTP/1.1 header`)
	notBegun = regexp.MustCompile(`client conn could not be established`)
)

// failed2 is dialer.failed in words of HTTP/2.
func (c *channel) failed2(step string, err error) error {
	if text := http2Fault(err); text != "" {
		return &stepError{step, text, err}
	}
	return c.dialer.failed(step, err)
}

// http2Fault returns what a server did that ended the connection or the stream (RFC 9113
// §6.8, §6.4); "" if the error is of another kind.
func http2Fault(err error) string {
	text := err.Error()
	if m := goaway.FindStringSubmatch(text); m != nil {
		return "the server sent GOAWAY with the code " + cmp.Or(m[1], "NO_ERROR") + " instead of an answer"
	}
	if m := reset.FindStringSubmatch(text); m != nil {
		return "the server reset the stream with the code " + m[1]
	}
	if m := broken.FindStringSubmatch(text); m != nil {
		return "the server breaks the rules of HTTP/2 (" + m[1] + ")"
	}
	switch {
	case notBegun.MatchString(text):
		return "the server ended the connection before it spoke HTTP/2"
	case notHTTP2.MatchString(text):
		return "the server does not speak HTTP/2"
	case tooLarge.MatchString(text):
		return "the server sent a frame that is too large"
	}
	return ""
}
