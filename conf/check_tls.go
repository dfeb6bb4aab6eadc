package conf

import (
	"crypto/x509"

	"holdfast/checker/probe"
)

// visitTLS walks over the table tls of a check. It returns the settings that the
// table gives, or when it writes, those that it wrote. Nothing inherited means
// the defaults.
func visitTLS(t *table, s, inherited *probe.TLS) *probe.TLS {
	if inherited == nil {
		inherited = &probe.TLS{Verify: true}
	}
	if t.reading() {
		s = new(probe.TLS)
	}
	t.sub("tls", func(sub *table) {
		field(sub, "verify", &s.Verify, boolean, inherited.Verify)
		field(sub, "ca", &s.CAFile, optionalPath, inherited.CAFile)
		field(sub, "server_name", &s.ServerName, text, inherited.ServerName)
		if !t.reading() {
			return
		}
		s.CA = inherited.CA
		if sub.has("ca") {
			s.CA = readCA(sub, s.CAFile)
		}
		if !sub.ok("ca") {
			t.wrong["tls"] = true
		}
	})
	return s
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
