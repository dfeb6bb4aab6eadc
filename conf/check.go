package conf

import (
	"time"

	"holdfast/checker"
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
