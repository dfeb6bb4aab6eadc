package probe

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"
)

// keyPair returns a certificate and its key in PEM form.
func keyPair(t *testing.T, cert tls.Certificate) (string, Secret) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})),
		Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// A server that wants to know its clients accepts the check's certificate.
func TestClientCertificate(t *testing.T) {
	ca := newCA(t)
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	refusals := map[uint16]string{
		tls.VersionTLS12: "TLS: the server ended the handshake: handshake failure",
		tls.VersionTLS13: "answer: the server ended the handshake: certificate required",
	}
	for version, refused := range refusals {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			l := tls.NewListener(listen(t, "127.0.0.1:0"), &tls.Config{
				Certificates: []tls.Certificate{ca.issue(t, "127.0.0.1", 2*time.Hour)},
				ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: pool, MaxVersion: version,
			})
			serveQuietly(t, l)
			s := https()
			s.TLS.CA = ca.pem()
			wantReason(t, ask(t, s, at(l.Addr())), refused)
			s.TLS.Cert, s.TLS.Key = keyPair(t, ca.issueClient(t))
			wantReason(t, ask(t, s, at(l.Addr())), "")
		})
	}
}

// A check speaks an old version with its ciphers only if it is told to.
func TestMinVersion(t *testing.T) {
	l := tls.NewListener(listen(t, "127.0.0.1:0"), &tls.Config{
		Certificates: []tls.Certificate{newCA(t).issueRSA(t)},
		MinVersion:   tls.VersionTLS10, MaxVersion: tls.VersionTLS11, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA},
	})
	serveQuietly(t, l)
	s := https()
	s.TLS.Verify = false
	wantReason(t, ask(t, s, at(l.Addr())), "TLS: the server ended the handshake: protocol version not supported")
	s.TLS.MinVersion = tls.VersionTLS11
	wantReason(t, ask(t, s, at(l.Addr())), "")
}

// A certificate that ends soon is good, and warned of, also when its session is
// resumed.
func TestExpiryWarning(t *testing.T) {
	ca := newCA(t)
	tests := []struct {
		name   string
		within time.Duration
		verify bool
		valid  time.Duration // from an hour ago
		want   string
	}{
		{"never", 0, true, 2 * time.Hour, ""},
		{"later", 30 * time.Minute, true, 2 * time.Hour, ""},
		{"soon", 90 * time.Minute, true, 2 * time.Hour, "the certificate of 127.0.0.1 expires on "},
		{"its CA ends first", 36 * time.Hour, true, 72 * time.Hour, "the certificate of test CA expires on "},
		{"which nobody asked about", 36 * time.Hour, false, 72 * time.Hour, ""},
		{"over", time.Minute, false, 30 * time.Minute, "the certificate of 127.0.0.1 expired on "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cert := ca.issue(t, "127.0.0.1", tt.valid)
			l := tls.NewListener(listen(t, "127.0.0.1:0"), &tls.Config{Certificates: []tls.Certificate{cert}})
			serveQuietly(t, l)
			s := https()
			s.TLS.CA, s.TLS.Verify, s.TLS.CertificateWarning = ca.pem(), tt.verify, tt.within
			p := newProber(t, s, at(l.Addr())).(Warner)
			for range 2 {
				wantReason(t, askWith(t, p, 5*time.Second), "")
				if got := p.Warning(); tt.want == "" && got != "" || !strings.HasPrefix(got, tt.want) {
					t.Errorf("warning %q, want %q", got, tt.want)
				}
			}
		})
	}
	if got := newProber(t, defaultHTTP, at(closedPort(t))).(Warner).Warning(); got != "" {
		t.Errorf("without TLS: %q", got)
	}
}

// An intermediate certificate that ended does no harm beside another chain that is
// good.
func TestEndsFirst(t *testing.T) {
	cert := func(days int) *x509.Certificate { return &x509.Certificate{NotAfter: time.Unix(int64(days)*86400, 0)} }
	own, old, fresh := cert(90), cert(10), cert(60)
	state := tls.ConnectionState{
		PeerCertificates: []*x509.Certificate{own, old},
		VerifiedChains:   [][]*x509.Certificate{{own, old}, {own, fresh}},
	}
	if got := endsFirst(state); got != fresh {
		t.Errorf("%v ends first, want that of day 60", got.NotAfter)
	}
	state.VerifiedChains = nil
	if got := endsFirst(state); got != own {
		t.Errorf("%v ends first, want that of day 90", got.NotAfter)
	}
	if got := endsFirst(tls.ConnectionState{}); got != nil {
		t.Errorf("%v ends first, want none", got)
	}
}
