package probe

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
)

// GRPC asks the health service of a gRPC server (grpc.health.v1 in
// https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
type GRPC struct {
	Service string // the name of a service of the server; "": the server as a whole
	Host    string // the authority that is asked for; "": the address
	TLS     *TLS   // nil: HTTP/2 without TLS. Its name is by default that of Host.
}

// Kind returns "grpc".
func (GRPC) Kind() string { return "grpc" }

// Needs returns NeedsPort.
func (GRPC) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s GRPC) Validate() FieldErrors {
	var errs FieldErrors
	const longest = 1 << 10
	if len(s.Service) > longest {
		errs.Addf("service", "must be at most %d bytes", longest)
	}
	if !isVisible(s.Host) || strings.ContainsAny(s.Host, "/?#@") {
		errs.Addf("host", "%q is not a host name", s.Host)
	}
	s.TLS.validate(&errs)
	return errs
}

func (s GRPC) prober(_ *Tools, to Target) Prober {
	host, scheme := s.Host, "http"
	if s.TLS != nil {
		scheme = "https"
	}
	if host == "" {
		host = hostOf(to.Address, s.TLS != nil)
	}
	return &grpcProber{
		Dialer:  NewDialer(to, s.TLS, nameOf(host), "h2"),
		service: s.Service,
		url:     &url.URL{Scheme: scheme, Host: host, Path: "/grpc.health.v1.Health/Check"},
		message: grpcRequest(s.Service),
	}
}

// grpcRequest returns a HealthCheckRequest with the prefix that gRPC sends before
// each message: a byte for "not compressed", and the length.
func grpcRequest(service string) string {
	var message []byte
	if service != "" { // field 1, of type LEN
		message = append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(service))), service...)
	}
	return string(append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...))
}

// A grpcProber makes one request over HTTP/2 on a new connection.
type grpcProber struct {
	*Dialer
	service string
	url     *url.URL
	message string
}

// Probe implements Prober.
func (p *grpcProber) Probe(ctx context.Context) error {
	raw, err := p.Dial(ctx)
	if err != nil {
		return err
	}
	defer raw.Close() // which ends the goroutine that reads from it
	conn, err := p.Secure(raw)
	if err != nil {
		return err
	}
	if secure, ok := conn.(*tls.Conn); ok && secure.ConnectionState().NegotiatedProtocol != "h2" {
		return errors.New("TLS: the server does not offer HTTP/2")
	}
	answer, err := over(conn).RoundTrip(p.request(ctx))
	if err != nil {
		if text := http2Fault(err); text != "" {
			return &stepError{"request", text, err}
		}
		return raw.Failed("request", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	if err != nil {
		return raw.Failed("answer", err)
	}
	return p.judge(answer, body)
}

// over returns a transport for HTTP/2 on one connection.
func over(conn net.Conn) *http.Transport {
	var used atomic.Bool
	dial := func(context.Context, string, string) (net.Conn, error) {
		if used.Swap(true) {
			return nil, errors.New("the server ended the connection before it answered")
		}
		return conn, nil
	}
	t := &http.Transport{DialContext: dial, DialTLSContext: dial, DisableCompression: true, Protocols: new(http.Protocols)}
	t.Protocols.SetHTTP2(true)
	t.Protocols.SetUnencryptedHTTP2(true)
	return t
}

// request returns the request, which must not be sent twice.
func (p *grpcProber) request(ctx context.Context) *http.Request {
	r := &http.Request{
		Method: http.MethodPost, URL: p.url, Host: p.url.Host,
		Body: io.NopCloser(strings.NewReader(p.message)), ContentLength: int64(len(p.message)),
		Header: http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "User-Agent": {"grpc-holdfast"}},
	}
	return r.WithContext(ctx)
}

// judge returns what is wrong with an answer.
func (p *grpcProber) judge(answer *http.Response, body []byte) error {
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("HTTP %d %s, want an answer of gRPC", answer.StatusCode, http.StatusText(answer.StatusCode))
	}
	trailer := answer.Trailer
	if answer.Header.Get("Grpc-Status") != "" { // an answer without messages
		trailer = answer.Header
	}
	switch code := trailer.Get("Grpc-Status"); code {
	case "":
		return fmt.Errorf("the answer of type %q is not that of a gRPC server", answer.Header.Get("Content-Type"))
	case "0":
	case "5": // NOT_FOUND
		return fmt.Errorf("the server does not know the service %q", p.service)
	case "12": // UNIMPLEMENTED
		return errors.New("the server has no health service (grpc.health.v1.Health)")
	default:
		return fmt.Errorf("gRPC status %s%s", grpcCode(code), grpcMessage(trailer))
	}
	status, err := grpcStatus(body)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	const serving = 1
	if status == serving {
		return nil
	}
	what := "the server"
	if p.service != "" {
		what = fmt.Sprintf("the service %q", p.service)
	}
	return fmt.Errorf("%s is %s, want SERVING", what, servingStatus(status))
}

// grpcStatus returns the field status of a HealthCheckResponse with its prefix. The
// default 0 is not sent.
func grpcStatus(body []byte) (uint64, error) {
	if len(body) < 5 || body[0] != 0 || int(binary.BigEndian.Uint32(body[1:])) != len(body)-5 {
		return 0, errors.New("it is not one message without compression")
	}
	message := body[5:]
	if len(message) == 0 {
		return 0, nil
	}
	const statusField = 1 << 3 // field 1, of type VARINT, which is 0
	status, n := binary.Uvarint(message[1:])
	if message[0] != statusField || n <= 0 {
		return 0, errors.New("it is no HealthCheckResponse")
	}
	return status, nil
}

// servingStatus returns the name of a HealthCheckResponse.ServingStatus.
func servingStatus(status uint64) string {
	names := [...]string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}
	if status < uint64(len(names)) {
		return names[status]
	}
	return strconv.FormatUint(status, 10)
}

// grpcCode returns the name of a status code of gRPC.
func grpcCode(code string) string {
	names := [...]string{
		"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
		"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
		"INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
	}
	if n, err := strconv.Atoi(code); err == nil && 0 <= n && n < len(names) {
		return names[n]
	}
	return excerpt([]byte(code))
}

// grpcMessage returns the words of the server for an error, which are percent-encoded.
func grpcMessage(trailer http.Header) string {
	text := trailer.Get("Grpc-Message")
	if text == "" {
		return ""
	}
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	return ": " + excerpt([]byte(text))
}
