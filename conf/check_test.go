package conf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/checker"
	"holdfast/checker/probe"
)

// certificate writes a PEM file with a certificate that trusts nobody.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1<<32, 0), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestChecks(t *testing.T) {
	src := `
[[service]]
name = "web"
address = "10.0.0.1:443"
[service.check]
type = "https"
interval = "4s"
host = "www.example.com:8443"
path = "/up"
status = [200, "300-302"]
body = "^ok$"
tls = { ca = "` + certificate(t) + `" }
[[service.server]]
address = "10.0.0.11"
[[service.server]]
name = "plain"
address = "10.0.0.12"
check = { type = "tcp", port = 80, rise = 3 }
[[service.server]]
address = "10.0.0.13"
check = { tls = { verify = false, ca = "", server_name = "other" } }
[[service.server]]
address = "10.0.0.14"
check = { type = "http", host = "", port = 80, body = "", path = "/" }
`
	c, err := Parse("a.toml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	got := c.Checks()
	if len(got) != 4 {
		t.Fatalf("%d checks, want 4", len(got))
	}
	for i := range got {
		if err := got[i].Validate(); err != nil {
			t.Errorf("%s: %v", got[i].ID, err)
		}
	}

	https := got[0].Probe.(probe.HTTP)
	if tls := https.TLS; tls.ServerName != "" || !tls.Verify || tls.CA == "" {
		t.Errorf("TLS of the first: %+v", tls)
	}
	https.TLS = nil
	got[0].Probe = https
	want := checker.Config{
		ID: "web/10.0.0.11:443", Server: "web/10.0.0.11:443", Address: netip.MustParseAddrPort("10.0.0.11:443"),
		Interval: 4 * time.Second, Timeout: time.Second, Rise: 1, Fall: 2, Weight: 1, WeightMax: probe.MaxWeight,
		Probe: probe.HTTP{
			HTTPRequest: probe.HTTPRequest{
				Method: "GET", Host: "www.example.com:8443", Path: "/up", Body: "^ok$",
				Status: []probe.StatusRange{{Low: 200, High: 200}, {Low: 300, High: 302}},
			},
			Auth: "basic", Version: "1.1", MaxBody: 1 << 20,
		},
	}
	if diff := cmp.Diff(want, got[0], compareText); diff != "" {
		t.Errorf("the first (-want +got):\n%s", diff)
	}

	want = checker.Config{
		ID: "web/plain", Server: "web/plain", Probe: probe.TCP{}, Address: netip.MustParseAddrPort("10.0.0.12:80"),
		Interval: 4 * time.Second, Timeout: time.Second, Rise: 3, Fall: 2, Weight: 1, WeightMax: probe.MaxWeight,
	}
	if diff := cmp.Diff(want, got[1], compareText); diff != "" {
		t.Errorf("the second (-want +got):\n%s", diff)
	}

	if diff := cmp.Diff(&probe.TLS{ServerName: "other", MinVersion: tls.VersionTLS12}, got[2].Probe.(probe.HTTP).TLS); diff != "" {
		t.Errorf("TLS of the third (-want +got):\n%s", diff)
	}
	wantHTTP := probe.HTTP{HTTPRequest: probe.HTTPRequest{Method: "GET", Path: "/", Status: https.Status}, Auth: "basic", Version: "1.1", MaxBody: 1 << 20}
	if diff := cmp.Diff(wantHTTP, got[3].Probe); diff != "" {
		t.Errorf("the fourth inherits from another kind (-want +got):\n%s", diff)
	}
}

// A changed certificate is a changed configuration, though the file that
// names it is the same.
func TestCertificateIsPartOfConfig(t *testing.T) {
	ca := certificate(t)
	src := []byte("[[service]]\nname = \"a\"\naddress = \"10.0.0.1:443\"\n" +
		"check = { type = \"https\", tls = { ca = \"" + ca + "\" } }\nserver = [{ address = \"10.0.0.2\" }]\n")
	before, err := Parse("a.toml", src)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(certificate(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ca, other, 0o644); err != nil {
		t.Fatal(err)
	}
	after, err := Parse("a.toml", src)
	if err != nil {
		t.Fatal(err)
	}
	if cmp.Equal(before, after, compareText) {
		t.Error("the certificate changed, the configuration did not")
	}
}

// A service without a check: TCP servers must accept a connection, others are up.
func TestDefaultCheck(t *testing.T) {
	for protocol, want := range map[string]probe.Settings{"tcp": probe.TCP{}, "udp": probe.None{}, "sctp": probe.None{}} {
		c, err := Parse("a.toml", []byte("[[service]]\nname = \"a\"\naddress = \"10.0.0.1:53\"\nprotocol = \""+protocol+"\"\nserver = [{ address = \"10.0.0.2\" }]\n"))
		if err != nil {
			t.Fatal(err)
		}
		s := c.Services[0]
		if got := c.Checks()[0].Probe; got != want || s.Servers[0].StartsUp != (protocol != "tcp") {
			t.Errorf("%s: check %v, starts up %v", protocol, got, s.Servers[0].StartsUp)
		}
		if diff := cmp.Diff(Check{Probe: want, Interval: 2 * time.Second, Timeout: time.Second, Rise: 1, Fall: 2, WeightMax: probe.MaxWeight}, s.Health[0].Checks[0], compareText); diff != "" {
			t.Errorf("%s (-want +got):\n%s", protocol, diff)
		}
	}
}
