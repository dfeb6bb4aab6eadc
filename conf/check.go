package conf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"holdfast/checker"
	"holdfast/lvs"
)

// A Check says how a server is asked whether it is well. Unlike
// checker.Config, which Service.Checks makes of it, it is comparable by value.
type Check struct {
	Kind          checker.Kind
	Port          uint16 // 0: the server's own
	Interval      time.Duration
	Timeout       time.Duration
	RetryInterval time.Duration // 0: Interval
	Rise, Fall    int
	HTTP          HTTPCheck // zero unless Kind is HTTP or HTTPS
	TLS           TLSCheck  // zero unless Kind is HTTPS
}

// HTTPCheck is the request of an HTTP or HTTPS check and the answer it wants.
type HTTPCheck struct {
	Method string
	Host   string // "": the server's address
	Path   string // with query
	Status []checker.StatusRange
	Body   string // regular expression; "": any body
}

// TLSCheck says how an HTTPS check knows the server.
type TLSCheck struct {
	Verify     bool
	CA         string // path of a PEM file; "": the system's
	CAText     string // what that file held when it was read
	ServerName string // "": HTTPCheck.Host
}

// http returns whether the check is a request.
func (c *Check) http() bool { return c.Kind == checker.HTTP || c.Kind == checker.HTTPS }

// Checks returns the checks of the servers of s, one each, in order. s comes
// from Load: a regular expression or certificate that was not validated panics.
func (s *Service) Checks() []checker.Config {
	configs := make([]checker.Config, len(s.Servers))
	for i, server := range s.Servers {
		configs[i] = s.Health[i].Check.config(s.Name+"/"+server.Name, server.Server.Address)
	}
	return configs
}

// config returns the check of the server at an address.
func (c *Check) config(id string, server netip.AddrPort) checker.Config {
	config := checker.Config{
		ID:            id,
		Kind:          c.Kind,
		Address:       c.address(server),
		Interval:      c.Interval,
		Timeout:       c.Timeout,
		RetryInterval: c.RetryInterval,
		Rise:          c.Rise,
		Fall:          c.Fall,
	}
	if c.http() {
		config.HTTP = checker.HTTPConfig{Method: c.HTTP.Method, Host: c.HTTP.Host, Path: c.HTTP.Path, Status: c.HTTP.Status}
		if c.HTTP.Body != "" {
			config.HTTP.Body = regexp.MustCompile(c.HTTP.Body)
		}
	}
	if c.Kind == checker.HTTPS {
		config.HTTP.TLS = c.tls()
	}
	return config
}

func (c *Check) address(server netip.AddrPort) netip.AddrPort {
	if c.Port != 0 {
		return netip.AddrPortFrom(server.Addr(), c.Port)
	}
	return server
}

func (c *Check) tls() *tls.Config {
	config := checker.Default(checker.HTTPS).HTTP.TLS
	config.ServerName, config.InsecureSkipVerify = c.TLS.ServerName, !c.TLS.Verify
	if config.ServerName == "" {
		config.ServerName = hostOnly(c.HTTP.Host)
	}
	if c.TLS.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(c.TLS.CAText)) {
			panic("conf: " + c.TLS.CA + " was not validated")
		}
	}
	return config
}

// hostOnly returns host without its port.
func hostOnly(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return strings.Trim(host, "[]")
}

// defaultCheck returns what is done when the file says nothing: a connection
// to a TCP server. The other protocols have no answer that one could wait for.
func defaultCheck(p lvs.Protocol) Check {
	kind := checker.None
	if p == lvs.TCP {
		kind = checker.TCP
	}
	d := checker.Default(kind)
	return Check{Kind: kind, Interval: d.Interval, Timeout: d.Timeout, RetryInterval: d.RetryInterval, Rise: d.Rise, Fall: d.Fall}
}

// defaultHTTP returns the request of an HTTP check of which only the type is given.
func defaultHTTP() HTTPCheck {
	d := checker.Default(checker.HTTP).HTTP
	return HTTPCheck{Method: d.Method, Host: d.Host, Path: d.Path, Status: d.Status}
}

var kind = choice(
	option[checker.Kind]{"none", checker.None},
	option[checker.Kind]{"tcp", checker.TCP},
	option[checker.Kind]{"http", checker.HTTP},
	option[checker.Kind]{"https", checker.HTTPS},
)

// visit walks over a check, of a service or of one server. Every key that
// matters to the kind is written, for the inherited one may be another.
func (c *Check) visit(t *table, inherited Check) {
	field(t, "type", &c.Kind, kind, inherited.Kind)
	if t.reading() || c.Kind != checker.None {
		c.visitTiming(t, inherited)
	}
	if t.reading() || c.http() {
		c.HTTP.visit(t, inherited)
	}
	if t.reading() || c.Kind == checker.HTTPS {
		t.sub("tls", func(sub *table) {
			c.TLS.visit(sub, inherited)
			if !sub.ok("ca") {
				t.wrong["tls"] = true
			}
		})
	}
	if t.reading() && t.ok("type") {
		c.trim(t)
	}
}

func (c *Check) visitTiming(t *table, inherited Check) {
	field(t, "port", &c.Port, integer[uint16](0, 65535), inherited.Port)
	field(t, "interval", &c.Interval, duration(checker.MinInterval, 24*time.Hour), inherited.Interval)
	field(t, "timeout", &c.Timeout, duration(time.Millisecond, time.Hour), inherited.Timeout)
	field(t, "retry_interval", &c.RetryInterval, duration(0, 24*time.Hour), inherited.RetryInterval)
	field(t, "rise", &c.Rise, integer[int](1, 1000), inherited.Rise)
	field(t, "fall", &c.Fall, integer[int](1, 1000), inherited.Fall)
}

// trim refuses and removes what the kind of check has no use for.
func (c *Check) trim(t *table) {
	why := fmt.Sprintf("with type = %q", c.Kind)
	if c.Kind == checker.None {
		t.forbid(why, "port", "interval", "timeout", "retry_interval", "rise", "fall")
	}
	if !c.http() {
		t.forbid(why, "method", "host", "path", "status", "body")
		c.HTTP = HTTPCheck{}
	}
	if c.Kind != checker.HTTPS {
		t.forbid(why, "tls")
		c.TLS = TLSCheck{}
	}
}

// validate asks checker what is wrong with the keys of the table.
func (c *Check) validate(t *table) {
	if c.Timeout > c.Interval && t.ok("interval", "timeout") {
		key := "timeout"
		if !t.has(key) {
			key = "interval"
		}
		t.failf(key, "the timeout of %s is longer than the interval of %s",
			formatDuration(c.Timeout), formatDuration(c.Interval))
	}
	if !t.ok("body", "tls") {
		return
	}
	config := c.config("any", netip.MustParseAddrPort("127.0.0.1:1"))
	for _, fault := range faults(config.Validate()) {
		if field, ok := errors.AsType[*checker.FieldError](fault); ok && t.ok(field.Key) {
			t.failf(field.Key, "%s", field.Problem)
		}
	}
}

func (h *HTTPCheck) visit(t *table, check Check) {
	inherited := check.HTTP
	if !check.http() {
		inherited = defaultHTTP()
	}
	field(t, "method", &h.Method, text, inherited.Method)
	field(t, "host", &h.Host, text, inherited.Host)
	field(t, "path", &h.Path, text, inherited.Path)
	field(t, "status", &h.Status, listOf(statusRange), inherited.Status)
	field(t, "body", &h.Body, regularExpression, inherited.Body)
}

func (s *TLSCheck) visit(t *table, check Check) {
	inherited := check.TLS
	if check.Kind != checker.HTTPS {
		inherited = TLSCheck{Verify: true}
	}
	field(t, "verify", &s.Verify, boolean, inherited.Verify)
	field(t, "ca", &s.CA, optionalPath, inherited.CA)
	field(t, "server_name", &s.ServerName, text, inherited.ServerName)
	switch {
	case !t.reading():
	case !t.has("ca"):
		s.CAText = inherited.CAText
	case s.CA != "":
		s.readCA(t)
	}
}

func (s *TLSCheck) readCA(t *table) {
	pem, err := t.in.env.readFile(s.CA)
	switch {
	case err != nil:
		t.failf("ca", "%v", err)
	case !x509.NewCertPool().AppendCertsFromPEM(pem):
		t.failf("ca", "%s holds no certificate in PEM form", s.CA)
	default:
		s.CAText = string(pem)
	}
}

// optionalPath is an absolute path, or "" for none.
var optionalPath = textual("an absolute path", func(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	return absolutePath.decodeText(s)
}, func(s string) string { return s })

var regularExpression = textual("a regular expression", func(s string) (string, error) {
	if _, err := regexp.Compile(s); err != nil {
		return "", fmt.Errorf("is not a regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return s, nil
}, func(s string) string { return s })

// statusRange is 200 or "200-299".
var statusRange = simple(func(v value) (checker.StatusRange, error) {
	var r checker.StatusRange
	ok := false
	switch data := v.data.(type) {
	case int64:
		r.Low, r.High, ok = int(data), int(data), true
	case string:
		low, high, found := strings.Cut(data, "-")
		if !found {
			high = low
		}
		var err1, err2 error
		r.Low, err1 = strconv.Atoi(low)
		r.High, err2 = strconv.Atoi(high)
		ok = err1 == nil && err2 == nil
	}
	if !ok {
		return r, fmt.Errorf(`must be a status like 200 or a range like "200-299", not %v`, unnamed(v))
	}
	return r, nil
}, func(r checker.StatusRange) any {
	if r.Low == r.High {
		return int64(r.Low)
	}
	return r.String()
})
