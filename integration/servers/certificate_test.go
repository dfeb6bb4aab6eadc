package servers_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// Where a machine has its certificate, and the name that stands in it.
const (
	certFile   = "/etc/ssl/server.pem"
	keyFile    = "/etc/ssl/server.key"
	serverName = "server.example"
)

// certify gives the machine a certificate and its key. It returns the line of a check
// that trusts it. Call it before start.
func (m *machine) certify() (tls string) {
	m.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		m.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: serverName}, DNSNames: []string{serverName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		m.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		m.t.Fatal(err)
	}
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	m.file(certFile, cert, 0o644)
	m.file(keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), 0o600)
	return fmt.Sprintf("tls = { ca = %q, server_name = %q }\n", m.keep("ca.pem", cert), serverName)
}

// password keeps a password in a file, for a check. It returns the line of the check.
func (m *machine) password(password string) string {
	m.t.Helper()
	return fmt.Sprintf("password_file = %q\n", m.keep("password-"+password, password+"\n"))
}

// keep writes a file that the checks read, and returns its path.
func (m *machine) keep(name, text string) string {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	return path
}
