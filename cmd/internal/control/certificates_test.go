package control

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/cmd/internal/event"
)

// An authority signs certificates for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	n    int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	own := a.issue(t, "test CA", nil)
	a.cert, a.key = own.Leaf, own.PrivateKey.(*ecdsa.PrivateKey)
	return a
}

// issue returns a certificate of 127.0.0.1; without an authority's own it is self-signed.
func (a *authority) issue(t *testing.T, name string, until *time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.n++
	c := &x509.Certificate{
		SerialNumber: big.NewInt(a.n), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA:        a.cert == nil, BasicConstraintsValid: true,
	}
	if until != nil {
		c.NotAfter = *until
	}
	parent, signer := c, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// write writes a certificate with its key to a file, as a renewal does.
func write(t *testing.T, path string, c tls.Certificate) {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(c.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	content := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})...)
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// A tlsServer is a server with TLS on a port of this host.
type tlsServer struct {
	url      string
	ca       *authority
	file     string // with its certificate and key
	certs    *Certificates
	backend  *fakeBackend
	failures chan error
	clock    time.Time // of the certificates
}

func serveTLS(t *testing.T, require bool) *tlsServer {
	t.Helper()
	s := &tlsServer{
		ca: newAuthority(t), file: filepath.Join(t.TempDir(), "server.pem"),
		backend: &fakeBackend{}, failures: make(chan error, 10), clock: time.Now(),
	}
	write(t, s.file, s.ca.issue(t, "first", nil))
	pool := x509.NewCertPool()
	pool.AddCert(s.ca.cert)
	s.certs = NewCertificates(CertificateSource{
		Load: func() (tls.Certificate, *x509.CertPool, error) {
			own, err := tls.LoadX509KeyPair(s.file, s.file)
			return own, pool, err
		},
		Files: []string{s.file}, Require: require, MinVersion: tls.VersionTLS12,
		Failed: func(err error) { s.failures <- err },
	})
	s.certs.now = func() time.Time { return s.clock }
	a := NewAPI(Options{Backend: s.backend, Events: event.NewJournal(10, 0), Log: slog.New(slog.DiscardHandler)})
	server := a.NewServer(Door{Name: "test", API: true, Writer: CertificateWriter, Hosts: []string{}, Certificates: s.certs})
	l, err := ListenTCP(netip.MustParseAddrPort("127.0.0.1:0"), "")
	if err != nil {
		t.Fatal(err)
	}
	s.url = "https://" + l.Addr().String() + "/v1/"
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := errors.Join(server.Close(ctx), <-served); err != nil {
			t.Error(err)
		}
		a.Close()
	})
	return s
}

// ask returns the HTTP status of an answer and the name in the server's certificate.
func (s *tlsServer) ask(t *testing.T, method, what string, own ...tls.Certificate) (code int, server string, err error) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(s.ca.cert)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: own}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+what, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	if answer.ProtoMajor != 2 {
		t.Errorf("the answer is %s", answer.Proto)
	}
	return answer.StatusCode, answer.TLS.PeerCertificates[0].Subject.CommonName, nil
}

// Everybody may read. Only clients with a certificate of the CA may change something.
func TestClientCertificates(t *testing.T) {
	s := serveTLS(t, false)
	ann, stranger := s.ca.issue(t, "ann", nil), newAuthority(t).issue(t, "stranger", nil)
	if code, _, err := s.ask(t, "GET", "status"); code != 200 {
		t.Errorf("read: %d, %v", code, err)
	}
	if code, _, err := s.ask(t, "POST", "reload"); code != 403 || s.backend.reloads != 0 {
		t.Errorf("write without a certificate: %d, %v", code, err)
	}
	if code, _, err := s.ask(t, "POST", "reload", stranger); code == 200 || s.backend.reloads != 0 {
		t.Errorf("write with a certificate of another CA: %d, %v", code, err)
	}
	if code, _, err := s.ask(t, "POST", "reload", ann); code != 200 || s.backend.reloads != 1 {
		t.Errorf("write with a certificate: %d, %v", code, err)
	}
	if code, _, err := s.ask(t, "POST", "drain?service=web&server=a", ann); code != 200 || s.backend.order.By != `certificate "CN=ann"` {
		t.Errorf("drain: %d, %v, by %s", code, err, s.backend.order.By)
	}
}

// With require nobody gets an answer without a certificate.
func TestClientCertificateIsRequired(t *testing.T) {
	s := serveTLS(t, true)
	if code, _, err := s.ask(t, "GET", "status"); err == nil {
		t.Errorf("without a certificate: %d", code)
	}
	if code, _, err := s.ask(t, "GET", "status", s.ca.issue(t, "ann", nil)); code != 200 {
		t.Errorf("with a certificate: %d, %v", code, err)
	}
}

// A renewed certificate is used without a reload. One that cannot be read leaves the
// former in use, and is reported once.
func TestRenewedCertificate(t *testing.T) {
	s := serveTLS(t, false)
	expect := func(want string) {
		t.Helper()
		s.clock = s.clock.Add(lookPause)
		if code, name, err := s.ask(t, "GET", "version"); code != 200 || name != want {
			t.Errorf("the server shows %q (%d, %v), want %q", name, code, err, want)
		}
	}
	expect("first")
	until := time.Now().Add(2 * time.Hour).Truncate(time.Second)
	write(t, s.file, s.ca.issue(t, "second", &until))
	expect("second")
	if got := s.certs.Expires(); !got.Equal(until) {
		t.Errorf("expires at %v, want %v", got, until)
	}
	if err := os.WriteFile(s.file, []byte("half of a certif"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("second")
	expect("second")
	write(t, s.file, s.ca.issue(t, "third", nil))
	if err := s.certs.Reload(); err != nil {
		t.Error(err)
	}
	expect("third")
	close(s.failures)
	var told []bool
	for err := range s.failures {
		told = append(told, err != nil)
	}
	if len(told) != 2 || !told[0] || told[1] {
		t.Errorf("failures were reported as %v, want one and its end", told)
	}
}
