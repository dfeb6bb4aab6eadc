package checker

import (
	"crypto/tls"
	"net/netip"
	"regexp"
	"time"
)

// A Kind is a way to ask a realserver whether it is well.
type Kind string

// The kinds of check.
const (
	None  Kind = "none"  // never asked, always up
	TCP   Kind = "tcp"   // a connection is accepted
	HTTP  Kind = "http"  // a request is answered as wanted
	HTTPS Kind = "https" // the same over TLS
)

// A Config says how and how often one realserver is asked.
type Config struct {
	// ID names the check's subject in reports; unique. The director uses
	// "service/server".
	ID   string
	Kind Kind
	// Address is what the check connects to.
	Address netip.AddrPort

	Interval time.Duration // from one start to the next while all is well
	Timeout  time.Duration // for the whole attempt
	Rise     int           // consecutive successes that bring a down server up
	Fall     int           // consecutive failures that take an up server down
	// RetryInterval replaces Interval while a verdict is pending (some but not
	// yet Rise or Fall results in a row); 0 means Interval.
	RetryInterval time.Duration
	// InitiallyUp makes the server start up (the kernel table already had it);
	// otherwise it starts down until its first Rise successes.
	InitiallyUp bool

	HTTP HTTPConfig // with Kind HTTP and HTTPS
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

// A StatusRange is a range of HTTP status codes, both ends included.
type StatusRange struct{ Low, High int }
