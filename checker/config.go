package checker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// A Kind is a way to ask a realserver whether it is well.
type Kind string

// The kinds of check.
const (
	None  Kind = "none"  // never asked, always up
	TCP   Kind = "tcp"   // a connection is accepted
	HTTP  Kind = "http"  // a request is answered as wanted
	HTTPS Kind = "https" // the same over TLS
	Ping  Kind = "ping"  // an ICMP echo request is answered
	UDP   Kind = "udp"   // a datagram is answered as wanted
	DNS   Kind = "dns"   // a DNS question is answered without an error
)

// Kinds returns every kind, in the order in which they are documented.
func Kinds() []Kind { return []Kind{None, TCP, HTTP, HTTPS, Ping, UDP, DNS} }

// A Config says how and how often one realserver is asked.
type Config struct {
	// ID names the check's subject in reports; unique. The director uses
	// "service/server".
	ID   string
	Kind Kind
	// Address is what the check connects to. Kind Ping has no use for the port.
	Address netip.AddrPort

	Interval time.Duration // from one start to the next while all is well
	Timeout  time.Duration // for the whole attempt
	Rise     int           // consecutive successes that bring a down server up
	Fall     int           // consecutive failures that take an up server down
	// RetryInterval replaces Interval while a verdict is pending (some but not
	// yet Rise or Fall results in a row); 0 means Interval.
	RetryInterval time.Duration
	// InitiallyUp makes the server start up (the kernel table already had it);
	// otherwise it starts down until its first Rise successes. It matters only
	// when the ID is new to the Set.
	InitiallyUp bool

	Dial Dial       // where the packets of the check come from
	HTTP HTTPConfig // with Kind HTTP and HTTPS
	UDP  UDPConfig  // with Kind UDP
	DNS  DNSConfig  // with Kind DNS
}

// Dial says where the packets of a check come from and which way they take.
// The zero value leaves all of it to the kernel.
type Dial struct {
	Source netip.Addr // local address, of the family of Config.Address
	Device string     // SO_BINDTODEVICE: an interface or a VRF device
	Mark   uint32     // SO_MARK, for routing rules and IPVS fwmark services; 0 is none
}

// HTTPConfig is the request that an HTTP check sends and the answer it wants.
type HTTPConfig struct {
	Method string         // GET, HEAD, ...
	Host   string         // Host header, and SNI unless ServerName is set; "" is the address
	Path   string         // with query
	Status []StatusRange  // one must contain the answer's code
	Body   *regexp.Regexp // nil: any body
	// TLS is the ready client configuration of an HTTPS check (roots, server
	// name, verification); nil with Kind HTTP.
	TLS *tls.Config
}

// UDPConfig is the datagram that a UDP check sends and the answer it wants.
type UDPConfig struct {
	Payload []byte         // at most 65507 bytes
	Reply   *regexp.Regexp // matched as text; nil: any datagram
	// Silence lets a server be well that does not answer: only an ICMP error
	// from it is a failure. Each attempt then lasts until its timeout.
	Silence bool
}

// DNSConfig is what a DNS check asks, over UDP. The answer must be of code
// NOERROR; what it says is not looked at.
type DNSConfig struct {
	Name string // with or without the dot at its end
	Type uint16 // of the record: 1 is A, 6 is SOA, 28 is AAAA
}

// A StatusRange is a range of HTTP status codes, both ends included.
type StatusRange struct{ Low, High int }

// String returns "200" or "200-299".
func (r StatusRange) String() string {
	if r.Low == r.High {
		return strconv.Itoa(r.Low)
	}
	return fmt.Sprintf("%d-%d", r.Low, r.High)
}

// Default returns the settings of a check of which nothing but its kind is
// said: every 2 s, 1 s to answer, up after 1 success and down after 2 failures;
// HTTP asks GET / and wants any 2xx, DNS asks for the SOA of the root.
func Default(kind Kind) Config {
	c := Config{Kind: kind, Interval: 2 * time.Second, Timeout: time.Second, Rise: 1, Fall: 2}
	switch kind {
	case HTTPS:
		c.HTTP.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		fallthrough
	case HTTP:
		c.HTTP.Method, c.HTTP.Path = http.MethodGet, "/"
		c.HTTP.Status = []StatusRange{{200, 299}}
	case DNS:
		c.DNS = DNSConfig{Name: ".", Type: uint16(dnsmessage.TypeSOA)}
	}
	return c
}

// MinInterval is the shortest interval and retry interval that a Config may
// have: below it a check is an attack.
const MinInterval = 10 * time.Millisecond

// Validate returns every way in which c cannot work, joined; each is a
// *FieldError.
func (c *Config) Validate() error {
	var errs fieldErrors
	if c.ID == "" {
		errs.add("id", "must not be empty")
	}
	switch c.Kind {
	case None:
		return errors.Join(errs...)
	case TCP, Ping:
	case HTTP, HTTPS:
		c.validateHTTP(&errs)
	case UDP:
		c.validateUDP(&errs)
	case DNS:
		if _, err := c.DNS.question(); err != nil {
			errs.add("name", "%q is not a domain name", c.DNS.Name)
		}
	default:
		errs.add("type", "unknown type %q", string(c.Kind))
	}
	if !c.Address.IsValid() || c.Address.Port() == 0 && c.Kind != Ping {
		errs.add("address", "must be an address and a port, not %v", c.Address)
	}
	c.validateTimes(&errs)
	if c.Rise < 1 {
		errs.add("rise", "must be at least 1, not %d", c.Rise)
	}
	if c.Fall < 1 {
		errs.add("fall", "must be at least 1, not %d", c.Fall)
	}
	c.validateDial(&errs)
	return errors.Join(errs...)
}

func (c *Config) validateTimes(errs *fieldErrors) {
	if c.Interval < MinInterval {
		errs.add("interval", "must be at least %v, not %v", MinInterval, c.Interval)
	}
	if c.Timeout < time.Millisecond {
		errs.add("timeout", "must be at least 1ms, not %v", c.Timeout)
	}
	switch r := c.RetryInterval; {
	case r == 0:
	case r < MinInterval:
		errs.add("retry_interval", "must be at least %v, or 0 for the interval, not %v", MinInterval, r)
	case r > c.Interval:
		errs.add("retry_interval", "must not be longer than the interval %v, not %v", c.Interval, r)
	}
}

func (c *Config) validateDial(errs *fieldErrors) {
	if s := c.Dial.Source; s.IsValid() && s.Is4() != c.Address.Addr().Unmap().Is4() {
		errs.add("source", "%v is not of the family of %v", s, c.Address.Addr())
	}
	// IFNAMSIZ (linux/if.h) is 16, the closing zero included.
	if d := c.Dial.Device; len(d) > 15 || strings.ContainsAny(d, "/ \x00") {
		errs.add("device", "%q is not the name of an interface", d)
	}
}

func (c *Config) validateHTTP(errs *fieldErrors) {
	h := &c.HTTP
	if !isToken(h.Method) {
		errs.add("method", "%q is not an HTTP method", h.Method)
	}
	if !strings.HasPrefix(h.Path, "/") || !isVisible(h.Path) {
		errs.add("path", "must begin with / and have no spaces or control characters, not %q", h.Path)
	}
	if !isVisible(h.Host) || strings.ContainsAny(h.Host, "/?#@") {
		errs.add("host", "%q is not a host name", h.Host)
	}
	if len(h.Status) == 0 {
		errs.add("status", "at least one status code is needed")
	}
	for _, r := range h.Status {
		if r.Low < 200 || r.High > 599 || r.Low > r.High {
			errs.add("status", "%v is not a range of final status codes (200 to 599)", r)
		}
	}
	if h.Body != nil && h.Method == http.MethodHead {
		errs.add("body", "the answer to HEAD has no body")
	}
	if (c.Kind == HTTPS) != (h.TLS != nil) {
		errs.add("tls", "goes with type https, and only with it")
	}
}

func (c *Config) validateUDP(errs *fieldErrors) {
	// RFC 768: 65535 bytes, less the headers of UDP and of IPv4.
	if n := len(c.UDP.Payload); n > 65507 {
		errs.add("payload", "a datagram holds at most 65507 bytes, not %d", n)
	}
	if c.UDP.Silence && c.UDP.Reply != nil {
		errs.add("reply", "has no meaning if no reply is needed")
	}
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

// isVisible reports whether s is of visible ASCII alone: what else it held
// would end or break the request line or header that it is put into.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// A FieldError is one fault of a configuration, with the key that it is about
// as the configuration file spells it.
type FieldError struct {
	Key     string
	Problem string
}

// Error returns "key: problem".
func (e *FieldError) Error() string { return e.Key + ": " + e.Problem }

type fieldErrors []error

func (e *fieldErrors) add(key, format string, args ...any) {
	*e = append(*e, &FieldError{Key: key, Problem: fmt.Sprintf(format, args...)})
}
