package conf

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/checker"
	"holdfast/checker/probe"
	"holdfast/lvs"
)

// A Check is how the health of a server is checked.
type Check struct {
	// ID tells the checks of one server apart; "" if it is the only one.
	ID            string
	Probe         probe.Settings // what is asked; its type is the kind of check
	Port          uint16         // 0: the server's own
	Via           Via            // the address that is asked
	Address       netip.Addr     // what is asked instead of the server; zero: the server
	Dial          probe.Dial     // where packets come from
	Interval      time.Duration
	Timeout       time.Duration
	RetryInterval time.Duration // 0: Interval
	DownInterval  time.Duration // 0: Interval
	Rise, Fall    int
	// NegotiateEvery makes only every so many-th attempt ask the whole question, while
	// the others connect; 0: all ask it.
	NegotiateEvery int
	// Depends has lists of services and servers ("SERVICE/SERVER"). The check is not made
	// while all of one list are down.
	Depends [][]string
	Period  string // when the check is made, as package period reads it
	// WeightMin and WeightMax bound what answers make of the weight.
	WeightMin, WeightMax int
}

// checked returns the address of a server with the port that a check asks: a server
// without one is asked at the first port of the service.
func (s *Service) checked(server netip.AddrPort) netip.AddrPort {
	if server.Port() == 0 && server.IsValid() {
		return netip.AddrPortFrom(server.Addr(), s.Service.Key.Address.Port())
	}
	return server
}

// config returns the check of the server at an address.
func (c *Check) config(id string, server netip.AddrPort) checker.Config {
	config := checker.Config{
		ID:             id,
		Probe:          c.Probe,
		Address:        c.address(server),
		Dial:           c.Dial,
		Interval:       c.Interval,
		Timeout:        c.Timeout,
		RetryInterval:  c.RetryInterval,
		DownInterval:   c.DownInterval,
		Rise:           c.Rise,
		Fall:           c.Fall,
		NegotiateEvery: c.NegotiateEvery,
		Period:         c.Period,
		WeightMin:      c.WeightMin,
		WeightMax:      c.WeightMax,
	}
	if !c.Probe.Needs().HasAddress() { // what this host knows is certain at once
		config.RetryInterval, config.Rise, config.Fall = 0, 1, 1
	}
	if needs := c.Probe.Needs(); !needs.HasAddress() || needs == probe.NeedsServer {
		config.Dial = probe.Dial{}
	}
	return config
}

// asks reports whether the check sends anything to the server.
func (c *Check) asks() bool { return c.Probe.Needs() != probe.NeedsNothing }

// defaultCheck returns the check of a service without [service.check]: a TCP server
// must accept a connection. Servers of other protocols are not checked, because
// there is no request that all of them answer.
func defaultCheck(p lvs.Protocol) Check {
	var settings probe.Settings = probe.None{}
	if p == lvs.TCP {
		settings = probe.TCP{}
	}
	d := checker.Default(settings)
	return Check{Probe: settings, Interval: d.Interval, Timeout: d.Timeout, RetryInterval: d.RetryInterval, Rise: d.Rise, Fall: d.Fall, WeightMax: d.WeightMax}
}

// checkKinds has one entry for each kind of check, in the order of the
// documentation.
var checkKinds = []checkKind{
	keysOf("none", func(*table, *probe.None, probe.None) {}),
	keysOf("tcp", visitTCP),
	keysOf("http", visitHTTP),
	keysOf("https", visitHTTPS),
	keysOf("ping", visitPing),
	keysOf("udp", visitUDP),
	keysOf("dns", visitDNS),
	keysOf("smtp", inClear(visitSMTP)),
	keysOf("smtps", overTLS(visitSMTP)),
	keysOf("imap", inClear(visitIMAP)),
	keysOf("imaps", overTLS(visitIMAP)),
	keysOf("pop", inClear(visitPOP)),
	keysOf("pops", overTLS(visitPOP)),
	keysOf("ftp", inClear(visitFTP)),
	keysOf("ftps", overTLS(visitFTP)),
	keysOf("nntp", inClear(visitNNTP)),
	keysOf("nntps", overTLS(visitNNTP)),
	keysOf("ssh", visitSSH),
	keysOf("sip", visitSIP),
	keysOf("ntp", visitNTP),
	keysOf("ldap", visitLDAP),
	keysOf("ldaps", visitLDAPS),
	keysOf("mysql", visitMySQL),
	keysOf("postgresql", visitPostgreSQL),
	keysOf("redis", visitRedis),
	keysOf("memcached", visitMemcached),
	keysOf("mqtt", visitMQTT),
	keysOf("radius", visitRADIUS),
	keysOf("grpc", visitGRPC),
	keysOf("external", visitExternal),
	keysOf("file", visitFile),
	keysOf("agent", visitAgent),
	keysOf("bfd", visitCheckBFD),
	keysOf("trap", visitCheckTrap),
}

// A checkKind holds the keys of one kind of check.
type checkKind struct {
	name string
	// visit walks over the keys. When it reads, it returns the settings that the
	// table gives; when it writes, it writes those of current. The inherited
	// settings may be of another kind.
	visit func(t *table, current, inherited probe.Settings) probe.Settings
}

// keysOf makes a kind of a function that visits the fields of its settings. A
// check that inherits from one of another type inherits the kind's defaults.
func keysOf[S probe.Settings](name string, visit func(t *table, s *S, inherited S)) checkKind {
	return checkKind{name, func(t *table, current, inherited probe.Settings) probe.Settings {
		from, ok := inherited.(S)
		if !ok {
			from = probe.Default(name).(S)
		}
		s, _ := current.(S)
		visit(t, &s, from)
		return s
	}}
}

// keys returns the keys of the kind.
func (k *checkKind) keys() []string {
	t := newTable(newReader(environment{}), "", value{}, nil)
	k.visit(t, nil, nil)
	return t.asked
}

// kindKeys returns the keys of all kinds together.
var kindKeys = sync.OnceValue(func() []string {
	var all []string
	for i := range checkKinds {
		all = append(all, checkKinds[i].keys()...)
	}
	slices.Sort(all)
	return slices.Compact(all)
})

// kindName is the name of a kind of check.
var kindName = func() codec[string] {
	var options []option[string]
	for _, k := range checkKinds {
		options = append(options, option[string]{k.name, k.name})
	}
	return choice(options...)
}()

// visit walks over a check, of a service or of one server. It writes every key
// that the kind uses, because the inherited check may be of another kind.
func (c *Check) visit(t *table, inherited Check) {
	name := inherited.Probe.Kind()
	if !t.reading() {
		name = c.Probe.Kind()
	}
	field(t, "type", &name, kindName, inherited.Probe.Kind())
	needs := probe.Default(name).Needs()
	if t.reading() || needs.HasPort() {
		field(t, "port", &c.Port, integer[uint16](0, 65535), inherited.Port)
	}
	c.visitTarget(t, inherited, needs)
	c.visitTiming(t, inherited, needs)
	if t.reading() || needs == probe.NeedsPort {
		field(t, "via", &c.Via, via, inherited.Via)
		field(t, "negotiate_every", &c.NegotiateEvery, integer[int](0, 1000), inherited.NegotiateEvery)
	}
	kind := checkKinds[slices.IndexFunc(checkKinds, func(k checkKind) bool { return k.name == name })]
	switch {
	case !t.reading():
		kind.visit(t, c.Probe, inherited.Probe)
	case t.ok("type"):
		c.Probe = kind.visit(t, nil, inherited.Probe)
		c.trim(t, needs, kind.name)
	default: // without a kind no key is known to be wrong
		c.Probe = inherited.Probe
		for _, key := range kindKeys() {
			t.ask(key)
		}
	}
}

// trim refuses the keys that have no meaning for the kind of check.
func (c *Check) trim(t *table, needs probe.Needs, kind string) {
	why := fmt.Sprintf("with type = %q", kind)
	own := slices.Clone(t.asked)
	for _, key := range kindKeys() {
		if !slices.Contains(own, key) {
			t.ask(key)
			t.forbid(why, key)
		}
	}
	if !needs.HasPort() {
		t.forbid(why, "port")
	}
	if needs != probe.NeedsPort {
		t.forbid(why, "via", "negotiate_every")
		c.Via, c.NegotiateEvery = ViaServer, 0
	}
	t.forbid(why, meaningless(needs)...)
	if needs < probe.NeedsThisHost {
		c.Depends, c.Period = nil, ""
	}
}

// validate asks package checker what is wrong with the keys of the table.
func (c *Check) validate(t *table) {
	if c.Timeout > c.Interval && t.ok("interval", "timeout") {
		key := "timeout"
		if !t.has(key) {
			key = "interval"
		}
		t.failf(key, "the timeout of %s is longer than the interval of %s",
			formatDuration(c.Timeout), formatDuration(c.Interval))
	}
	config := c.config("any", netip.MustParseAddrPort("127.0.0.1:1"))
	config.Dial.Source = netip.Addr{} // its family is that of the server
	for _, fault := range faults(config.Validate()) {
		if field, ok := errors.AsType[*probe.FieldError](fault); ok && t.ok(field.Key) {
			t.failf(field.Key, "%s", field.Problem)
		}
	}
}

// optionalPath is an absolute path, or "" for none.
var optionalPath = textual("an absolute path", func(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	return absolutePath.decodeText(s)
}, func(s string) string { return s })

var regularExpression = textual("a regular expression", func(s string) (string, error) {
	if _, err := regexp.Compile(s); err != nil {
		return "", fmt.Errorf("is not a regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return s, nil
}, func(s string) string { return s })
