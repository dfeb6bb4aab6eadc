package probe

import (
	"crypto/tls"
	"crypto/x509"
	"net"
)

// TLS says how a check knows that it talks to the right server.
type TLS struct {
	Verify     bool   // whether the certificate must be valid
	ServerName string // SNI and the name in the certificate; "": the kind decides
	CA         string // trusted certificates in PEM form; "": the system's
	CAFile     string // the path of the file that held CA
}

// validate notes the faults of s, which may be nil.
func (s *TLS) validate(errs *FieldErrors) {
	if s != nil && s.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(s.CA)) {
		errs.Addf("tls", "%s contains no certificate in PEM format", s.CAFile)
	}
}

// A tlsClient makes the TLS handshakes of a check.
type tlsClient struct {
	config *tls.Config
	resume *session
}

// newTLSClient returns the client for valid settings. The name is the server's
// unless the settings have one. It returns nil for nil.
func newTLSClient(s *TLS, name string, protocols ...string) *tlsClient {
	if s == nil {
		return nil
	}
	c := &tlsClient{resume: new(session)}
	c.config = &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         s.ServerName,
		InsecureSkipVerify: !s.Verify,
		NextProtos:         protocols,
		ClientSessionCache: c.resume,
	}
	if c.config.ServerName == "" {
		c.config.ServerName = name
	}
	if s.CA != "" {
		c.config.RootCAs = x509.NewCertPool()
		c.config.RootCAs.AppendCertsFromPEM([]byte(s.CA))
	}
	return c
}

// secure makes a handshake. The deadline is that of conn.
func (c *tlsClient) secure(conn net.Conn) (*tls.Conn, error) {
	secure := tls.Client(conn, c.config)
	if err := secure.Handshake(); err != nil {
		return nil, err
	}
	c.resume.made(secure.ConnectionState().DidResume)
	return secure, nil
}
