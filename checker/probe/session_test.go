package probe

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// quiet keeps complaints of failed handshakes to itself.
var quiet = log.New(io.Discard, "", 0)

// serveQuietly serves 200, or 503 under /down, and keeps its complaints of
// failed handshakes to itself.
func serveQuietly(t *testing.T, l net.Listener) {
	t.Helper()
	s := &http.Server{
		ErrorLog: quiet,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/down" {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}),
	}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
}

// TestSessionIsResumed: for a minute, unless a handshake failed.
func TestSessionIsResumed(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			ca := newCA(t)
			cert := ca.issue(t, "127.0.0.1", 2*time.Hour)
			var resumed, broken atomic.Bool
			l := tls.NewListener(listen(t, "127.0.0.1:0"), &tls.Config{
				Certificates: []tls.Certificate{cert}, MaxVersion: version,
				VerifyConnection: func(s tls.ConnectionState) error {
					resumed.Store(s.DidResume)
					return nil
				},
				GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
					if broken.Load() {
						return nil, errors.New("broken")
					}
					return nil, nil
				},
			})
			serveQuietly(t, l)
			s, c := https(), at(l.Addr())
			s.TLS.CA = ca.pem()
			p := newHTTPProber(s, c)
			attempt := func(want bool) {
				t.Helper()
				wantReason(t, askWith(t, p, c.Timeout), "")
				if resumed.Load() != want {
					t.Errorf("resumed: %v, want %v", resumed.Load(), want)
				}
			}
			attempt(false)
			full := p.tls["127.0.0.1"].resume.fullAt
			attempt(true)
			attempt(true)
			if !p.tls["127.0.0.1"].resume.fullAt.Equal(full) {
				t.Error("a resumed handshake counts as a full one")
			}
			p.tls["127.0.0.1"].resume.fullAt = p.tls["127.0.0.1"].resume.fullAt.Add(-fullEvery)
			attempt(false)
			attempt(true)
			broken.Store(true)
			wantReason(t, askWith(t, p, c.Timeout), "TLS: the server ended the handshake: internal error")
			broken.Store(false)
			attempt(false)
		})
	}
}
