package probe

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDefault(t *testing.T) {
	for _, kind := range Kinds() {
		s := Default(kind)
		if s.Kind() != kind {
			t.Errorf("the default settings of %s are of kind %s", kind, s.Kind())
		}
		required := kind == "external" || kind == "file" || kind == "bfd" // what to run, read or heed
		if errs := s.Validate(); (errs != nil) != required {
			t.Errorf("%s: %v", kind, errs)
		}
	}
	if s := Default("smoke"); s != nil {
		t.Errorf("there are settings of an unknown kind: %v", s)
	}
}

// TestSettingsAreData holds what reflect.DeepEqual needs to compare two
// settings by value, and cmp.Diff to show them.
func TestSettingsAreData(t *testing.T) {
	var walk func(path string, typ reflect.Type)
	walk = func(path string, typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Struct:
			for f := range typ.Fields() {
				if !f.IsExported() {
					t.Errorf("%s.%s is not exported", path, f.Name)
				}
				walk(path+"."+f.Name, f.Type)
			}
		case reflect.Pointer, reflect.Slice:
			walk(path, typ.Elem())
		case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint16, reflect.Uint32, reflect.Float64:
		default:
			t.Errorf("%s is a %v", path, typ)
		}
	}
	for _, kind := range Kinds() {
		walk(kind, reflect.TypeOf(Default(kind)))
	}
}

func TestValidate(t *testing.T) {
	http := func(change func(*HTTP)) HTTP {
		s := defaultHTTP
		change(&s)
		return s
	}
	label := strings.Repeat("a", 64)
	tests := []struct {
		name string
		s    Settings
		want string
	}{
		{"method", http(func(s *HTTP) { s.Method = "GET /" }), `method: "GET /" is not an HTTP method`},
		{"no method", http(func(s *HTTP) { s.Method = "" }), `method: "" is not an HTTP method`},
		{"relative path", http(func(s *HTTP) { s.Path = "healthz" }), `path: must begin with / and have no spaces or control characters, not "healthz"`},
		{"path that ends the line", http(func(s *HTTP) { s.Path = "/\r\nX: y" }), `path: must begin with / and have no spaces or control characters, not "/\r\nX: y"`},
		{"host that adds a header", http(func(s *HTTP) { s.Host = "a\r\nX:y" }), `host: "a\r\nX:y" is not a host name`},
		{"host with path", http(func(s *HTTP) { s.Host = "a/b" }), `host: "a/b" is not a host name`},
		{"no status", http(func(s *HTTP) { s.Status = nil }), `status: at least one status code is needed`},
		{"interim status", http(func(s *HTTP) { s.Status = []StatusRange{{100, 299}} }), `status: 100-299 is not a range of final status codes (200 to 599)`},
		{"reversed status", http(func(s *HTTP) { s.Status = []StatusRange{{204, 200}} }), `status: 204-200 is not a range of final status codes (200 to 599)`},
		{"high status", http(func(s *HTTP) { s.Status = []StatusRange{{600, 600}} }), `status: 600 is not a range of final status codes (200 to 599)`},
		{"body", http(func(s *HTTP) { s.Body = "(" }), "body: is not a regular expression: missing closing ): `(`"},
		{"body of HEAD", http(func(s *HTTP) { s.Method, s.Body = "HEAD", "ok" }), `body: the answer to HEAD has no body`},
		{"certificate", http(func(s *HTTP) { s.TLS = &TLS{CA: "x", CAFile: "/x.pem"} }), `tls: /x.pem contains no certificate in PEM format`},
		{"key without certificate", http(func(s *HTTP) { s.TLS = &TLS{Key: "x"} }), `tls: failed to find any PEM data in certificate input`},
		{"negative warning", http(func(s *HTTP) { s.TLS = &TLS{CertificateWarning: -1} }), `tls: certificate_warning must not be negative, like -1ns`},
		{"long datagram", UDP{Send: strings.Repeat("x", 65508)}, `send: a datagram holds at most 65507 bytes, not 65508`},
		{"expect", UDP{Expect: "("}, "expect: is not a regular expression: missing closing ): `(`"},
		{"tcp expect", TCP{Expect: "("}, "expect: is not a regular expression: missing closing ): `(`"},
		{"hexadecimal", UDP{ExpectHex: "0"}, `expect_hex: must be pairs of hexadecimal digits or x, not "0"`},
		{"no hexadecimal", UDP{ExpectHex: "0y"}, `expect_hex: must be pairs of hexadecimal digits or x, not "0y"`},
		{"lengths", UDP{MinLength: 3, MaxLength: 2}, `max_length: must be at least min_length, 3, not 2`},
		{"negative length", UDP{MinLength: -1}, `min_length: must not be negative, nor max_length`},
		{"ping", Ping{Size: 7}, `size: must be from 8 to 65507, not 7`},
		{"large ping", Ping{Size: 65508}, `size: must be from 8 to 65507, not 65508`},
		{"class", DNS{Name: "a", Record: "A", Class: "in", RCode: []string{"NOERROR"}}, `class: must be one of IN CH HS, not "in"`},
		{"codes", DNS{Name: "a", Record: "A", Class: "IN", RCode: []string{"NXDOMAIN", "OK"}, MinAnswers: -1},
			"rcode: must be of NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED YXDOMAIN YXRRSET NXRRSET NOTAUTH NOTZONE, not \"OK\"\nmin_answers: must not be negative, like -1"},
		{"no code", DNS{Name: "a", Record: "A", Class: "IN"}, `rcode: at least one response code is needed`},
		{"domain name", dnsOf("a..b", "A"), `name: "a..b" is not a domain name`},
		{"long label", dnsOf(label, "A"), `name: "` + label + `" is not a domain name`},
		{"record", dnsOf("a", "soa"), `record: must be one of A AAAA ANY CAA CNAME DNSKEY DS HTTPS MX NAPTR NS PTR SOA SRV SVCB TXT, not "soa"`},
		{"two faults", dnsOf("a..b", ""), "name: \"a..b\" is not a domain name\nrecord: must be one of A AAAA ANY CAA CNAME DNSKEY DS HTTPS MX NAPTR NS PTR SOA SRV SVCB TXT, not \"\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantFaults(t, tt.s.Validate(), tt.want) })
	}
}

// dnsOf returns the default settings with another question.
func dnsOf(name, record string) DNS {
	s := defaultDNS
	s.Name, s.Record = name, record
	return s
}

func wantFaults(t *testing.T, errs FieldErrors, want string) {
	t.Helper()
	if errs == nil {
		t.Fatal("no fault")
	}
	if diff := cmp.Diff(want, errs.Join().Error()); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	for _, err := range errs {
		if _, ok := errors.AsType[*FieldError](err); !ok {
			t.Errorf("%T is no *FieldError", err)
		}
	}
}

func TestValidateTarget(t *testing.T) {
	tests := []struct {
		name  string
		needs Needs
		spoil func(*Target)
		want  string
	}{
		{"address", NeedsPort, func(to *Target) { to.Address = netip.AddrPort{} }, `address: must be an address and a port, not invalid AddrPort`},
		{"port", NeedsPort, func(to *Target) { to.Address = netip.AddrPortFrom(to.Address.Addr(), 0) }, `address: must be an address and a port, not 192.0.2.11:0`},
		{"address alone", NeedsAddress, func(to *Target) { to.Address = netip.AddrPort{} }, `address: must be an address, not invalid IP`},
		{"timeout", NeedsAddress, func(to *Target) { to.Timeout = 0 }, `timeout: must be at least 1ms, not 0s`},
		{"source family", NeedsPort, func(to *Target) { to.Dial.Source = netip.MustParseAddr("2001:db8::1") }, `source: 2001:db8::1 is not of the family of 192.0.2.11`},
		{"device", NeedsPort, func(to *Target) { to.Dial.Device = "a-name-of-16-chr" }, `device: "a-name-of-16-chr" is not the name of an interface`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			to := Target{Address: netip.MustParseAddrPort("192.0.2.11:80"), Timeout: time.Second}
			tt.spoil(&to)
			wantFaults(t, to.Validate(tt.needs), tt.want)
		})
	}
	to := Target{Address: netip.MustParseAddrPort("192.0.2.11:0"), Timeout: time.Second}
	if errs := to.Validate(NeedsAddress); errs != nil {
		t.Errorf("an address without a port: %v", errs)
	}
	if errs := new(Target).Validate(NeedsNothing); errs != nil {
		t.Errorf("nothing where nothing is needed: %v", errs)
	}
}

// TestClients: a client of another package takes the place of the kind's own
// prober.
func TestClients(t *testing.T) {
	fromClient := errors.New("from the client")
	tools := &Tools{Clients: map[string]func(Settings, Target) Prober{
		"dns": func(s Settings, _ Target) Prober {
			if !reflect.DeepEqual(s, dnsOf("a.", "A")) {
				t.Errorf("settings %v", s)
			}
			return ProberFunc(func(context.Context) error { return fromClient })
		},
	}}
	if err := tools.Prober(dnsOf("a.", "A"), Target{}).Probe(t.Context()); !errors.Is(err, fromClient) {
		t.Errorf("dns: %v", err)
	}
	if err := tools.Prober(None{}, Target{}).Probe(t.Context()); err != nil {
		t.Errorf("none: %v", err)
	}
}
