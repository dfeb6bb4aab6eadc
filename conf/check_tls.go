package conf

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"

	"holdfast/checker/probe"
)

// visitTLS walks over the table tls of a check. It returns the settings that the
// table gives, or when it writes, those that it wrote. Nothing inherited means
// the defaults.
func visitTLS(t *table, s, inherited *probe.TLS) *probe.TLS {
	if inherited == nil {
		inherited = probe.DefaultTLS()
	}
	if t.reading() {
		s = new(probe.TLS)
	}
	t.sub("tls", func(sub *table) {
		field(sub, "verify", &s.Verify, boolean, inherited.Verify)
		field(sub, "ca", &s.CAFile, optionalPath, inherited.CAFile)
		field(sub, "server_name", &s.ServerName, text, inherited.ServerName)
		field(sub, "cert", &s.CertFile, optionalPath, inherited.CertFile)
		field(sub, "key", &s.KeyFile, optionalSecretPath, inherited.KeyFile)
		field(sub, "min_version", &s.MinVersion, tlsVersion, inherited.MinVersion)
		field(sub, "certificate_warning", &s.CertificateWarning, days(0, 3650*day), inherited.CertificateWarning)
		if !t.reading() {
			return
		}
		s.CA = inherited.CA
		if sub.has("ca") {
			s.CA = readCA(sub, s.CAFile)
		}
		s.Cert, s.Key = inherited.Cert, inherited.Key
		if s.CertFile == "" && !sub.has("key") {
			s.KeyFile = "" // inherited
		}
		if sub.has("cert") || sub.has("key") {
			s.Cert, s.Key = readIdentity(sub, s.CertFile, s.KeyFile)
		}
		if !sub.clean() {
			t.spoil("tls")
		}
	})
	return s
}

// visitOptionalTLS walks over a key that turns TLS on, and over the table tls. It
// returns nil if TLS is off.
func visitOptionalTLS(t *table, key string, s, inherited *probe.TLS) *probe.TLS {
	on := s != nil
	field(t, key, &on, boolean, inherited != nil)
	if !t.reading() && !on {
		return nil
	}
	s = visitTLS(t, s, inherited)
	if on {
		return s
	}
	if t.ok(key) {
		t.forbid(fmt.Sprintf("without %s = true", key), "tls")
	}
	return nil
}

// readCA returns the certificates in the file of the key ca. It returns "" for the
// path "", and after an error.
func readCA(t *table, path string) string {
	if path == "" || !t.ok("ca") {
		return ""
	}
	pem, err := t.in.env.readFile(path)
	switch {
	case err != nil:
		t.failf("ca", "%v", err)
	case !x509.NewCertPool().AppendCertsFromPEM(pem):
		t.failf("ca", "%s contains no certificate in PEM format", path)
	default:
		return string(pem)
	}
	return ""
}

// readIdentity returns the client's certificate in the file of the key cert, and
// its private key in that of the key key; with keyPath "" both are in one file. It
// returns nothing for certPath "", and after an error.
func readIdentity(t *table, certPath, keyPath string) (cert string, key probe.Secret) {
	if !t.ok("cert", "key") {
		return "", ""
	}
	if certPath == "" {
		if keyPath != "" {
			t.failf("key", "has no effect without cert")
		}
		return "", ""
	}
	content, err := t.in.env.readFile(certPath)
	if err != nil {
		t.failf("cert", "%v", err)
		return "", ""
	}
	at, path := "key", keyPath
	if keyPath == "" {
		at, path = "cert", certPath
		if !strings.Contains(string(content), "PRIVATE KEY-----") {
			t.failf(at, "%s contains no private key: name the file that does with key", path)
			return "", ""
		}
	}
	secret, err := t.in.env.secret(path)
	if err != nil {
		t.failf(at, "%v", err)
		return "", ""
	}
	if _, err := tls.X509KeyPair(content, []byte(secret)); err != nil {
		t.failf("cert", "%s", strings.TrimPrefix(err.Error(), "tls: "))
		return "", ""
	}
	return string(content), probe.Secret(secret)
}

// tlsVersion is a version of TLS. Servers that speak SSL 3.0 only are beyond reach.
var tlsVersion = choice(
	option[uint16]{"1.0", tls.VersionTLS10},
	option[uint16]{"1.1", tls.VersionTLS11},
	option[uint16]{"1.2", tls.VersionTLS12},
	option[uint16]{"1.3", tls.VersionTLS13},
)
