package conf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/checker/probe"
)

// identity writes the files of a client's certificate and of its key.
func identity(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1<<32, 0)}
	certDER, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	writeMode(t, cert, 0o644, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certDER})))
	writeMode(t, key, 0o600, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})))
	return cert, key
}

func writeMode(t *testing.T, path string, mode os.FileMode, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// A check has the client's certificate and its key from two files, or from one.
func TestClientCertificate(t *testing.T) {
	cert, key := identity(t)
	otherCert, _ := identity(t)
	both := filepath.Join(t.TempDir(), "both.pem")
	certText, keyText := readText(t, cert), readText(t, key)
	writeMode(t, both, 0o600, certText+keyText)
	open := filepath.Join(t.TempDir(), "open.pem")
	writeMode(t, open, 0o644, keyText)

	openBoth := filepath.Join(t.TempDir(), "open-both.pem")
	writeMode(t, openBoth, 0o644, certText+keyText)

	load := func(tls string) (*Config, error) {
		return Parse("a.toml", []byte("[[service]]\nname = \"a\"\naddress = \"10.0.0.1:443\"\n[service.check]\ntype = \"https\"\n[service.check.tls]\n"+tls+
			"\n[[service.server]]\naddress = \"10.0.0.2\"\n[[service.server]]\naddress = \"10.0.0.3\"\ncheck = { tls = { cert = \"\" } }\n"))
	}
	for _, keys := range []string{`cert = "` + cert + "\"\nkey = \"" + key + `"`, `cert = "` + both + `"`} {
		c, err := load(keys)
		if err != nil {
			t.Fatalf("%s: %v", keys, err)
		}
		checks := c.Checks()
		tls := checks[0].Probe.(probe.HTTP).TLS
		if !strings.Contains(tls.Cert, certText) || !strings.Contains(string(tls.Key), strings.TrimSpace(keyText)) {
			t.Errorf("%s: certificate %q", keys, tls.Cert)
		}
		if without := checks[1].Probe.(probe.HTTP).TLS; without.Cert != "" || without.Key != "" {
			t.Errorf("%s: the server that wants no certificate has %q", keys, without.Cert)
		}
		if shown := string(Show(c)); strings.Contains(shown, "PRIVATE KEY") {
			t.Error("config show prints the key")
		}
	}
	for keys, want := range map[string]string{
		`cert = "` + otherCert + "\"\nkey = \"" + key + `"`: "tls.cert: private key does not match public key",
		`cert = "` + cert + "\"\nkey = \"" + open + `"`:     "tls.key: " + open + " can be read or changed by others",
		`cert = "` + cert + `"`:                             "tls.cert: " + cert + " contains no private key: name the file that does with key",
		`cert = "` + openBoth + `"`:                         "tls.cert: " + openBoth + " can be read or changed by others",
		`key = "` + key + `"`:                               "tls.key: has no effect without cert",
		`cert = "/proc/version"`:                            "tls.cert: /proc/version contains no private key",
	} {
		if _, err := load(keys); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", keys, err, want)
		}
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
