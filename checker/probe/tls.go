package probe

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"time"
)

// TLS says how a check knows that it talks to the right server, and how it shows
// who it is itself. Every kind of check that uses TLS has these settings.
type TLS struct {
	Verify     bool   // whether the certificate must be valid
	ServerName string // SNI and the name in the certificate; "": the kind decides
	CA         string // trusted certificates in PEM form; "": the system's
	CAFile     string // the path of the file that held CA
	// Cert is the client's certificate in PEM form with those that lead to its CA,
	// and Key its private key; "": none. CertFile and KeyFile are the files that
	// held them.
	Cert, CertFile string
	Key            Secret
	KeyFile        string
	MinVersion     uint16 // tls.VersionTLS10 to tls.VersionTLS13; 0: tls.VersionTLS12
	// CertificateWarning is how long before the end of the server's certificate a
	// Warning begins; 0: never.
	CertificateWarning time.Duration
}

// DefaultTLS returns the settings that a check has when the configuration gives
// none.
func DefaultTLS() *TLS { return &TLS{Verify: true, MinVersion: tls.VersionTLS12} }

// validate notes the faults of s, which may be nil.
func (s *TLS) validate(errs *FieldErrors) {
	if s == nil {
		return
	}
	if s.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(s.CA)) {
		errs.Addf("tls", "%s contains no certificate in PEM format", s.CAFile)
	}
	if _, err := s.identity(); err != nil {
		errs.Addf("tls", "%s", strings.TrimPrefix(err.Error(), "tls: "))
	}
	if s.CertificateWarning < 0 {
		errs.Addf("tls", "certificate_warning must not be negative, like %v", s.CertificateWarning)
	}
}

// identity returns the client's certificate; nil if there is none.
func (s *TLS) identity() ([]tls.Certificate, error) {
	if s.Cert == "" && s.Key == "" {
		return nil, nil
	}
	one, err := tls.X509KeyPair([]byte(s.Cert), []byte(s.Key))
	if err != nil {
		return nil, err
	}
	return []tls.Certificate{one}, nil
}

// A TLSClient makes the TLS handshakes of one check with one server. Each Prober
// has its own, because it resumes the sessions of its server.
type TLSClient struct {
	config *tls.Config
	resume session
	expiry expiry
}

// NewTLSClient returns the client for valid settings. The name is the server's
// unless the settings have one; protocols are those that ALPN offers. It returns
// nil for nil.
func NewTLSClient(s *TLS, name string, protocols ...string) *TLSClient {
	if s == nil {
		return nil
	}
	c := &TLSClient{expiry: expiry{within: s.CertificateWarning}}
	c.config = &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         s.ServerName,
		InsecureSkipVerify: !s.Verify,
		NextProtos:         protocols,
		ClientSessionCache: &c.resume,
		VerifyConnection:   c.note,
	}
	if s.MinVersion != 0 {
		c.config.MinVersion, c.config.CipherSuites = s.MinVersion, suites(s.MinVersion)
	}
	if c.config.ServerName == "" {
		c.config.ServerName = name
	}
	if s.CA != "" {
		c.config.RootCAs = x509.NewCertPool()
		c.config.RootCAs.AppendCertsFromPEM([]byte(s.CA))
	}
	c.config.Certificates, _ = s.identity() // valid settings do not fail
	return c
}

// suites returns the cipher suites for connections of at least a version; nil for
// the default ones. Servers that speak nothing newer than TLS 1.1 often know only
// suites without forward secrecy, which crypto/tls no longer offers by itself.
func suites(version uint16) []uint16 {
	if version >= tls.VersionTLS12 {
		return nil
	}
	var ids []uint16
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		ids = append(ids, suite.ID)
	}
	return ids
}

// Config returns the configuration of all handshakes, for a library that makes
// them itself. The caller must not change it.
func (c *TLSClient) Config() *tls.Config { return c.config }

// Secure makes a handshake. The deadline is that of conn.
func (c *TLSClient) Secure(conn net.Conn) (*tls.Conn, error) {
	secure := tls.Client(conn, c.config)
	if err := secure.Handshake(); err != nil {
		return nil, err
	}
	return secure, nil
}

// note is called in each handshake, once the server's certificate is known to be
// good.
func (c *TLSClient) note(state tls.ConnectionState) error {
	c.resume.made(state.DidResume)
	c.expiry.note(state)
	return nil
}

// CertificateEnds returns what the Prober of this client should return as
// CertificateHolder. It may be called for nil.
func (c *TLSClient) CertificateEnds() time.Time {
	if c == nil {
		return time.Time{}
	}
	return c.expiry.ends()
}

// Warning returns what the Prober of this client should return as Warner. It may
// be called for nil.
func (c *TLSClient) Warning() string {
	if c == nil {
		return ""
	}
	return c.expiry.warning(time.Now())
}
