package conf

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// A Listen is an HTTP listener on a TCP port.
type Listen struct {
	Address netip.AddrPort
	Device  string   // the only interface on which it accepts connections; "": any
	Serve   []string // what it answers: elements of ListenParts
	// Hosts are the names by which clients may call it without TLS, beside its
	// addresses and the name of the host. "*" is any name.
	Hosts []string
	TLS   ListenTLS // without a Cert: no TLS
}

// ListenTLS are the files and rules of a listener with TLS.
type ListenTLS struct {
	Cert, Key  string // paths; without a Key it is in the file of the certificate
	ClientCA   string // path; "": certificates of clients are not asked for
	Require    bool   // clients without a certificate are refused
	MinVersion uint16 // as in crypto/tls
}

// The parts that a listener can answer.
const (
	ListenMetrics = "metrics"
	ListenPage    = "page"
	ListenAPI     = "api"
)

// ListenParts are all of them.
var ListenParts = []string{ListenMetrics, ListenPage, ListenAPI}

// listenAddress is where a listener listens. Port 0 would be a different port after
// every start.
var listenAddress = textual("an address with a port", func(s string) (netip.AddrPort, error) {
	if strings.HasPrefix(s, ":") {
		return netip.AddrPort{}, fmt.Errorf(`must name the address: write "0.0.0.0%s" or "[::]%s" for all of them`, s, s)
	}
	a, err := parseAddressPort(s)
	switch {
	case err != nil:
		return a, err
	case a.Port() == 0:
		return a, fmt.Errorf("must have a port from 1 to 65535, not 0")
	case a.Addr().IsMulticast():
		return a, fmt.Errorf("%v is a multicast address, on which TCP cannot listen", a.Addr())
	}
	return a, nil
}, netip.AddrPort.String)

// hostPattern matches a DNS name.
var hostPattern = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)

// hostOrAny is a name by which clients call a listener.
var hostOrAny = textual("a host name", func(s string) (string, error) {
	if s != "*" && !hostPattern.MatchString(s) {
		return "", fmt.Errorf(`must be a host name without a port, or "*" for any, not %s`, quoteShort(s))
	}
	return s, nil
}, func(s string) string { return s })

// listenTLSVersion is the oldest version of TLS that a listener accepts.
var listenTLSVersion = choice(option[uint16]{"1.2", tls.VersionTLS12}, option[uint16]{"1.3", tls.VersionTLS13})

func (l *Listen) visit(t *table) {
	need(t, "address", &l.Address, listenAddress)
	field(t, "serve", &l.Serve, listOf(wordOf(ListenParts)), []string{ListenMetrics, ListenPage})
	field(t, "device", &l.Device, orEmpty(interfaceName), "")
	field(t, "hosts", &l.Hosts, listOf(hostOrAny), nil)
	t.maybe("tls", l.TLS.Cert != "", l.TLS.visit)
	if !t.reading() {
		return
	}
	if t.ok("serve") && len(l.Serve) == 0 {
		t.failf("serve", "must name something to answer")
	}
	if t.ok("address", "device") && l.Address.Addr().IsLinkLocalUnicast() && l.Address.Addr().Is6() && l.Device == "" {
		t.failf("device", "is required, because %v is link-local", l.Address.Addr())
	}
}

func (l *ListenTLS) visit(t *table) {
	need(t, "cert", &l.Cert, absolutePath)
	field(t, "key", &l.Key, optionalSecretPath, "")
	field(t, "client_ca", &l.ClientCA, optionalPath, "")
	field(t, "require", &l.Require, boolean, false)
	field(t, "min_version", &l.MinVersion, listenTLSVersion, tls.VersionTLS12)
	if t.reading() && l.Require && l.ClientCA == "" && t.ok("client_ca", "require") {
		t.failf("require", "has no effect without client_ca")
	}
}

// checkListens refuses two listeners at one address.
func (c *Config) checkListens(s sections) {
	type place struct {
		address netip.AddrPort
		device  string
	}
	seen := make(unique[place])
	for i, t := range s.listens {
		l := &c.Listens[i]
		if !t.ok("address", "device") || !l.Address.IsValid() {
			continue
		}
		if first := seen.use(place{l.Address, l.Device}, t.where("address")); first != "" {
			t.failf("address", "%v is already used at %s", l.Address, first)
		}
	}
}

// Load reads the files. They are not part of the configuration, because they are
// renewed while it stays, and because a certificate that is missing must not keep a
// director from starting. clients is nil without a ClientCA.
func (l *ListenTLS) Load() (own tls.Certificate, clients *x509.CertPool, err error) {
	return l.load(system)
}

func (l *ListenTLS) load(env environment) (own tls.Certificate, clients *x509.CertPool, err error) {
	cert, err := env.readFile(l.Cert)
	if err != nil {
		return own, nil, err
	}
	path := l.Key
	if path == "" {
		path = l.Cert
	}
	key, err := env.secret(path)
	if err != nil {
		return own, nil, err
	}
	if own, err = tls.X509KeyPair(cert, []byte(key)); err != nil {
		return own, nil, fmt.Errorf("%s: %w", l.Cert, err)
	}
	if l.ClientCA == "" {
		return own, nil, nil
	}
	pem, err := env.readFile(l.ClientCA)
	if err != nil {
		return own, nil, err
	}
	clients = x509.NewCertPool()
	if !clients.AppendCertsFromPEM(pem) {
		return own, nil, fmt.Errorf("%s contains no certificate in PEM format", l.ClientCA)
	}
	return own, clients, nil
}

// Files returns the paths of the files that Load reads. Credentials of the systemd unit
// are not among them: they change with a restart of the unit only.
func (l *ListenTLS) Files() []string {
	var list []string
	for _, path := range []string{l.Cert, l.Key, l.ClientCA} {
		if strings.HasPrefix(path, "/") {
			list = append(list, path)
		}
	}
	return list
}
