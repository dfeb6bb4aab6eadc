package status

import (
	"cmp"
	"strings"
	"time"
)

// A Listener is the state of an HTTP listener on a TCP port.
type Listener struct {
	Address   string    `json:"address"` // with the port
	Device    string    `json:"device,omitempty"`
	Serve     []string  `json:"serve"` // metrics, page or api
	TLS       bool      `json:"tls"`
	Listening bool      `json:"listening"`
	Since     time.Time `json:"since"` // since when Listening has had this value
	// Waits is why the listener does not listen, although nothing is wrong: another
	// director has the virtual address.
	Waits string `json:"waits,omitempty"`
	// Problem is why the listener does not listen, or does not use its newest
	// certificate. It is one of the problems too.
	Problem            string    `json:"problem,omitempty"`
	CertificateExpires time.Time `json:"certificate_expires,omitzero"`
}

// listeners writes the HTTP listeners.
func (s *Status) listeners(b *page) {
	if len(s.Listen) == 0 {
		return
	}
	b.WriteString("\nLISTEN\n")
	var t table
	t.header("ADDRESS", "STATE", ">FOR", "DEVICE", "TLS", "SERVES")
	for i := range s.Listen {
		l := &s.Listen[i]
		state, secure := "listening", "-"
		if !l.Listening {
			state = "waits"
		}
		if l.TLS {
			secure = "yes"
		}
		if !l.CertificateExpires.IsZero() {
			secure = "until " + l.CertificateExpires.UTC().Format(time.DateOnly)
		}
		t.row(l.Address, state, s.ago(l.Since), cmp.Or(l.Device, "-"), secure, strings.Join(l.Serve, " "))
		if note := cmp.Or(l.Problem, l.Waits); note != "" {
			t.note(note)
		}
	}
	t.write(b)
}
