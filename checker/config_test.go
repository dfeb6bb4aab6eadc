package checker

import (
	"crypto/tls"
	"errors"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func valid(kind Kind) Config {
	c := Default(kind)
	c.ID = "web/rs1"
	c.Address = netip.MustParseAddrPort("192.0.2.11:80")
	return c
}

func TestDefaultsAreValid(t *testing.T) {
	for _, kind := range Kinds() {
		c := valid(kind)
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name  string
		kind  Kind
		spoil func(*Config)
		want  string
	}{
		{"no id", TCP, func(c *Config) { c.ID = "" }, `id: must not be empty`},
		{"kind", TCP, func(c *Config) { c.Kind = "smoke" }, `type: unknown type "smoke"`},
		{"address", TCP, func(c *Config) { c.Address = netip.AddrPort{} }, `address: must be an address and a port, not invalid AddrPort`},
		{"port", TCP, func(c *Config) { c.Address = netip.AddrPortFrom(c.Address.Addr(), 0) }, `address: must be an address and a port, not 192.0.2.11:0`},
		{"interval", TCP, func(c *Config) { c.Interval = 9 * time.Millisecond }, `interval: must be at least 10ms, not 9ms`},
		{"timeout", TCP, func(c *Config) { c.Timeout = 0 }, `timeout: must be at least 1ms, not 0s`},
		{"short retry", TCP, func(c *Config) { c.RetryInterval = time.Millisecond }, `retry_interval: must be at least 10ms, or 0 for the interval, not 1ms`},
		{"long retry", TCP, func(c *Config) { c.RetryInterval = 3 * time.Second }, `retry_interval: must not be longer than the interval 2s, not 3s`},
		{"rise", TCP, func(c *Config) { c.Rise = 0 }, `rise: must be at least 1, not 0`},
		{"fall", TCP, func(c *Config) { c.Fall = -1 }, `fall: must be at least 1, not -1`},
		{"source family", TCP, func(c *Config) { c.Dial.Source = netip.MustParseAddr("2001:db8::1") }, `source: 2001:db8::1 is not of the family of 192.0.2.11`},
		{"device", TCP, func(c *Config) { c.Dial.Device = "a-name-of-16-chr" }, `device: "a-name-of-16-chr" is not the name of an interface`},
		{"method", HTTP, func(c *Config) { c.HTTP.Method = "GET /" }, `method: "GET /" is not an HTTP method`},
		{"no method", HTTP, func(c *Config) { c.HTTP.Method = "" }, `method: "" is not an HTTP method`},
		{"relative path", HTTP, func(c *Config) { c.HTTP.Path = "healthz" }, `path: must begin with / and have no spaces or control characters, not "healthz"`},
		{"path that ends the line", HTTP, func(c *Config) { c.HTTP.Path = "/\r\nX: y" }, `path: must begin with / and have no spaces or control characters, not "/\r\nX: y"`},
		{"host that adds a header", HTTP, func(c *Config) { c.HTTP.Host = "a\r\nX:y" }, `host: "a\r\nX:y" is not a host name`},
		{"host with path", HTTP, func(c *Config) { c.HTTP.Host = "a/b" }, `host: "a/b" is not a host name`},
		{"no status", HTTP, func(c *Config) { c.HTTP.Status = nil }, `status: at least one status code is needed`},
		{"interim status", HTTP, func(c *Config) { c.HTTP.Status = []StatusRange{{100, 299}} }, `status: 100-299 is not a range of final status codes (200 to 599)`},
		{"reversed status", HTTP, func(c *Config) { c.HTTP.Status = []StatusRange{{204, 200}} }, `status: 204-200 is not a range of final status codes (200 to 599)`},
		{"high status", HTTP, func(c *Config) { c.HTTP.Status = []StatusRange{{600, 600}} }, `status: 600 is not a range of final status codes (200 to 599)`},
		{"body of HEAD", HTTP, func(c *Config) { c.HTTP.Method, c.HTTP.Body = "HEAD", regexp.MustCompile("ok") }, `body: the answer to HEAD has no body`},
		{"plain with tls", HTTP, func(c *Config) { c.HTTP.TLS = new(tls.Config) }, `tls: goes with type https, and only with it`},
		{"https without", HTTPS, func(c *Config) { c.HTTP.TLS = nil }, `tls: goes with type https, and only with it`},
		{"long payload", UDP, func(c *Config) { c.UDP.Payload = make([]byte, 65508) }, `payload: a datagram holds at most 65507 bytes, not 65508`},
		{"reply and silence", UDP, func(c *Config) { c.UDP.Reply, c.UDP.Silence = regexp.MustCompile("a"), true }, `reply: has no meaning if no reply is needed`},
		{"domain name", DNS, func(c *Config) { c.DNS.Name = "a..b" }, `name: "a..b" is not a domain name`},
		{"long label", DNS, func(c *Config) { c.DNS.Name = strings.Repeat("a", 64) }, `name: "` + strings.Repeat("a", 64) + `" is not a domain name`},
		{"two faults", TCP, func(c *Config) { c.Rise, c.Fall = 0, 0 }, "rise: must be at least 1, not 0\nfall: must be at least 1, not 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := valid(tt.kind)
			tt.spoil(&c)
			err := c.Validate()
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			var field *FieldError
			if !errors.As(err, &field) {
				t.Errorf("%T holds no *FieldError", err)
			}
		})
	}
}

// TestAsksSame changes each field of a Config in turn, so that a field added
// later cannot be forgotten: two checks that differ in it would be made as one.
func TestAsksSame(t *testing.T) {
	aside := map[string]bool{"ID": true, "Rise": true, "Fall": true, "InitiallyUp": true}
	base := func() Config {
		c := valid(HTTPS)
		c.HTTP.Body = regexp.MustCompile("ok")
		return c
	}
	a, b := base(), base()
	if !a.asksSame(&b) {
		t.Fatal("two Configs of equal content, with a regexp and a tls.Config each, are not the same")
	}
	var walk func(path string, v reflect.Value, c *Config)
	walk = func(path string, v reflect.Value, c *Config) {
		for i := range v.NumField() {
			name := path + v.Type().Field(i).Name
			f := v.Field(i)
			if f.Kind() == reflect.Struct && f.Type().PkgPath() == "holdfast/checker" {
				walk(name+".", f, c)
				continue
			}
			old := reflect.ValueOf(f.Interface())
			f.Set(other(t, name, f))
			if got := a.asksSame(c); got != aside[name] {
				t.Errorf("differing in %s: asksSame = %v", name, got)
			}
			f.Set(old)
		}
	}
	walk("", reflect.ValueOf(&b).Elem(), &b)
}

// other returns a value of v's type that differs from v.
func other(t *testing.T, name string, v reflect.Value) reflect.Value {
	t.Helper()
	switch x := v.Interface().(type) {
	case string:
		return reflect.ValueOf(x + "x")
	case []byte:
		return reflect.ValueOf(append([]byte{1}, x...))
	case uint16:
		return reflect.ValueOf(x + 1)
	case Kind:
		return reflect.ValueOf(x + "x")
	case int:
		return reflect.ValueOf(x + 1)
	case uint32:
		return reflect.ValueOf(x + 1)
	case bool:
		return reflect.ValueOf(!x)
	case time.Duration:
		return reflect.ValueOf(x + 1)
	case netip.Addr:
		return reflect.ValueOf(netip.MustParseAddr("192.0.2.99"))
	case netip.AddrPort:
		return reflect.ValueOf(netip.MustParseAddrPort("192.0.2.99:99"))
	case []StatusRange:
		return reflect.ValueOf(append([]StatusRange{{400, 400}}, x...))
	case *regexp.Regexp:
		return reflect.ValueOf(regexp.MustCompile("other"))
	case *tls.Config:
		return reflect.ValueOf(&tls.Config{ServerName: "other"})
	}
	t.Fatalf("%s: this test cannot change a %v", name, v.Type())
	return reflect.Value{}
}

func TestSameTLS(t *testing.T) {
	ca1, ca2 := newCA(t), newCA(t)
	client := ca1.issue(t, "client", time.Hour)
	functions := &tls.Config{VerifyConnection: func(tls.ConnectionState) error { return nil }}
	tests := []struct {
		name string
		a, b *tls.Config
		want bool
	}{
		{"none", nil, nil, true},
		{"one", new(tls.Config), nil, false},
		{"both empty", new(tls.Config), new(tls.Config), true},
		{"equal roots", &tls.Config{RootCAs: ca1.pool()}, &tls.Config{RootCAs: ca1.pool()}, true},
		{"other roots", &tls.Config{RootCAs: ca1.pool()}, &tls.Config{RootCAs: ca2.pool()}, false},
		{"roots and the system's", &tls.Config{RootCAs: ca1.pool()}, new(tls.Config), false},
		{"the system's and roots", new(tls.Config), &tls.Config{RootCAs: ca1.pool()}, false},
		{"name", &tls.Config{ServerName: "a"}, &tls.Config{ServerName: "b"}, false},
		{"verification", &tls.Config{InsecureSkipVerify: true}, new(tls.Config), false},
		{"least version", &tls.Config{MinVersion: tls.VersionTLS12}, &tls.Config{MinVersion: tls.VersionTLS13}, false},
		{"greatest version", &tls.Config{MaxVersion: tls.VersionTLS12}, &tls.Config{MaxVersion: tls.VersionTLS13}, false},
		{"protocols", &tls.Config{NextProtos: []string{"a"}}, new(tls.Config), false},
		{"ciphers", &tls.Config{CipherSuites: []uint16{1}}, new(tls.Config), false},
		{"curves", &tls.Config{CurvePreferences: []tls.CurveID{1}}, new(tls.Config), false},
		{"equal client certificates", &tls.Config{Certificates: []tls.Certificate{client}}, &tls.Config{Certificates: []tls.Certificate{client}}, true},
		{"client certificate", &tls.Config{Certificates: []tls.Certificate{client}}, new(tls.Config), false},
		{"functions", functions, &tls.Config{VerifyConnection: functions.VerifyConnection}, false},
		{"itself with functions", functions, functions, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := sameTLS(tt.a, tt.b); got != tt.want {
				t.Errorf("sameTLS = %v", got)
			}
		})
	}
}
