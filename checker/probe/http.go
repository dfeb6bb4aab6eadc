package probe

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// HTTP sends requests and judges the answers. It asks the server alone: see
// Redirects.
type HTTP struct {
	HTTPRequest
	Login
	Auth string // how Login is proved: AuthBasic or AuthDigest
	// Requests are sent one after the other, and each must be answered well. Without
	// any, HTTPRequest is the only one.
	Requests []HTTPRequest
	Version  string // "1.0", "1.1" or "2"; over TLS, 2 must be agreed by ALPN
	Proxy    bool   // the server is a proxy: requests name the whole URL
	// Redirects is how many redirects to the same host are followed for each request.
	// The server that a redirect to another host names is another one, so such a
	// redirect is the answer.
	Redirects int
	Reuse     bool // the connection is kept for the next attempt
	MaxBody   int  // how many bytes of all bodies together are read in one attempt
	// WeightHeader and WeightJSON are where an answer says the weight of the server,
	// as ParseWeight reads it: the name of a header and the path of a value in a JSON
	// body. "": nowhere. The last answer that says a weight decides.
	WeightHeader, WeightJSON string
	TLS                      *TLS // nil: without TLS. Its name is by default that of Host.
}

// An HTTPRequest is one request and what its answer must be.
type HTTPRequest struct {
	Method  string  // GET, HEAD, ...
	Host    string  // Host header; "": the address
	Path    string  // with the query
	Headers []Field // further headers, or others than those that holdfast sends
	Send    string  // body of the request

	Status        []StatusRange // one of them must contain the status code
	ExpectHeaders []Field       // regular expressions that headers must match
	Body          string        // regular expression that the body must match; "": any body
	BodyNot       string        // regular expression that the body must not match; "": any body
	JSON          []Field       // regular expressions that values of a JSON body must match, by path
	Digest        string        // MD5 or SHA-256 of the body, in hexadecimal digits; "": any body
}

// A Field is a name with a value, or with a regular expression for one.
type Field struct{ Name, Value string }

// DefaultMaxBody is HTTP.MaxBody unless the configuration says another.
const DefaultMaxBody = 1 << 20

// maxRedirects bounds HTTP.Redirects, maxRequests the length of HTTP.Requests.
const (
	maxRedirects = 10
	maxRequests  = 100
)

var (
	defaultHTTP  = HTTP{HTTPRequest: defaultRequest, Auth: AuthBasic, Version: "1.1", MaxBody: DefaultMaxBody}
	defaultHTTPS = HTTP{HTTPRequest: defaultRequest, Auth: AuthBasic, Version: "1.1", MaxBody: DefaultMaxBody, TLS: DefaultTLS()}

	defaultRequest = HTTPRequest{Method: http.MethodGet, Path: "/", Status: []StatusRange{{200, 299}}}
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

// requests returns what is sent.
func (s *HTTP) requests() []HTTPRequest {
	if len(s.Requests) > 0 {
		return s.Requests
	}
	return []HTTPRequest{s.HTTPRequest}
}

// Validate implements Settings.
func (s HTTP) Validate() FieldErrors {
	errs := s.HTTPRequest.Validate()
	for i := range s.Requests {
		for _, err := range s.Requests[i].Validate() {
			errs.Addf("request", "number %d: %v", i+1, err)
		}
	}
	if len(s.Requests) > maxRequests {
		errs.Addf("request", "at most %d are possible, not %d", maxRequests, len(s.Requests))
	}
	if !slices.Contains(HTTPVersions(), s.Version) {
		errs.Addf("http_version", "must be one of %s, not %q", strings.Join(HTTPVersions(), " "), s.Version)
	}
	if s.Redirects < 0 || s.Redirects > maxRedirects {
		errs.Addf("redirects", "must be from 0 to %d, not %d", maxRedirects, s.Redirects)
	}
	if s.MaxBody < 1 {
		errs.Addf("max_body", "must be at least 1, not %d", s.MaxBody)
	}
	if s.Reuse && s.Version != "1.1" {
		errs.Addf("reuse", "has no effect with http_version = %q", s.Version)
	}
	s.validateProxy(&errs)
	s.validateAuth(&errs)
	if s.WeightHeader != "" && !httpguts.ValidHeaderFieldName(s.WeightHeader) {
		errs.Addf("weight_header", "%q is not the name of a header", s.WeightHeader)
	}
	s.TLS.validate(&errs)
	return errs
}

func (s *HTTP) validateProxy(errs *FieldErrors) {
	if !s.Proxy {
		return
	}
	if s.TLS != nil || s.Version == "2" {
		errs.Addf("proxy", "is possible with type http and an http_version below 2 only")
	}
	for _, r := range s.requests() {
		if r.Host == "" {
			errs.Addf("proxy", "needs a host that the proxy is to ask")
		}
	}
}

// HTTPVersions returns the versions of HTTP that a check can speak.
func HTTPVersions() []string { return []string{"1.0", "1.1", "2"} }

// Validate returns every fault.
func (r *HTTPRequest) Validate() FieldErrors {
	var errs FieldErrors
	if !httpguts.ValidHeaderFieldName(r.Method) { // both are tokens, RFC 9110 §5.6.2
		errs.Addf("method", "%q is not an HTTP method", r.Method)
	}
	if !strings.HasPrefix(r.Path, "/") || !isVisible(r.Path) {
		errs.Addf("path", "must begin with / and have no spaces or control characters, not %q", r.Path)
	}
	if !isVisible(r.Host) || strings.ContainsAny(r.Host, "/?#@") {
		errs.Addf("host", "%q is not a host name", r.Host)
	}
	if len(r.Status) == 0 {
		errs.Addf("status", "at least one status code is needed")
	}
	for _, s := range r.Status {
		if s.Low < 200 || s.High > 599 || s.Low > s.High {
			errs.Addf("status", "%v is not a range of final status codes (200 to 599)", s)
		}
	}
	r.validateHeaders(&errs)
	r.validateBody(&errs)
	return errs
}

// ownHeaders are the headers that follow from other settings.
var ownHeaders = []string{"Host", "Content-Length", "Transfer-Encoding", "Trailer", "Upgrade", "Expect", "Te"}

func (r *HTTPRequest) validateHeaders(errs *FieldErrors) {
	for _, h := range r.Headers {
		switch name := http.CanonicalHeaderKey(h.Name); {
		case !httpguts.ValidHeaderFieldName(h.Name):
			errs.Addf("headers", "%q is not the name of a header", h.Name)
		case slices.Contains(ownHeaders, name):
			errs.Addf("headers", "%s is not free to choose: holdfast sets it, or it asks for another kind of answer", name)
		case !httpguts.ValidHeaderFieldValue(h.Value):
			errs.Addf("headers", "the value of %s must not contain control characters, like %q", name, h.Value)
		}
	}
	for _, h := range r.ExpectHeaders {
		if !httpguts.ValidHeaderFieldName(h.Name) {
			errs.Addf("expect_headers", "%q is not the name of a header", h.Name)
		}
		errs.pattern("expect_headers", h.Value)
	}
}

func (r *HTTPRequest) validateBody(errs *FieldErrors) {
	errs.pattern("body", r.Body)
	errs.pattern("body_not", r.BodyNot)
	for _, f := range r.JSON {
		errs.pattern("json", f.Value)
	}
	if _, err := hex.DecodeString(r.Digest); err != nil || r.Digest != "" && len(r.Digest) != 32 && len(r.Digest) != 64 {
		errs.Addf("digest", "must be an MD5 (32 hexadecimal digits) or SHA-256 (64 digits), not %q", r.Digest)
	}
	if r.Method == http.MethodHead && r.looksAtBody() {
		errs.Addf("body", "the answer to HEAD has no body")
	}
}

// looksAtBody reports whether the body of the answer matters.
func (r *HTTPRequest) looksAtBody() bool {
	return r.Body != "" || r.BodyNot != "" || len(r.JSON) > 0 || r.Digest != ""
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
