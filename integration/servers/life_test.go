package servers_test

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"holdfast/checker"
	"holdfast/checker/probe"
	"holdfast/checker/probe/clients"
	"holdfast/conf"
	"holdfast/integration/lab"
)

// A check of a machine's server, and what it must find.
type check struct {
	name string
	// keys are those of [service.check] without the timing. They are addressed.
	keys string
	// reason is why the server is down while it runs; "": it is up. Three dots
	// stand for anything.
	reason string
	v6     bool // ask the machine's IPv6 address
}

// The timing of all checks: a verdict at each attempt.
const timing = "interval = \"600ms\"\ntimeout = \"600ms\"\nretry_interval = \"50ms\"\nfall = 1\n"

// prove takes the machine's server through its life and holds each check to what
// it must find. Each is as told while the server runs, and down while it does not
// answer and when it is gone.
func (m *machine) prove(port uint16, checks ...check) {
	m.t.Helper()
	seen := m.watch(port, checks)
	wants := func(what string, want func(check) string) {
		m.t.Helper()
		for i, c := range checks {
			m.await(seen, serviceName(i), what+": "+c.name, want(c))
		}
	}
	wants("the server runs", func(c check) string { return c.reason })
	m.freeze()
	wants("the server is silent", func(check) string { return "...timeout after 600ms" })
	m.thaw()
	wants("the server runs again", func(c check) string { return c.reason })
	m.stop()
	wants("the server is gone", func(check) string { return "...connection refused" })
}

// watch starts checks of a port of the machine.
func (m *machine) watch(port uint16, checks []check) *checker.Set {
	m.t.Helper()
	set := checker.New(checker.Options{Tools: &probe.Tools{Clients: clients.All}})
	m.t.Cleanup(set.Close)
	var all []checker.Config
	for i := range checks {
		all = append(all, m.config(serviceName(i), port, &checks[i])...)
	}
	if err := set.Apply(all); err != nil {
		m.t.Fatal(err)
	}
	return set
}

// serviceName names the service of a check. The name of a check may have blanks.
func serviceName(i int) string { return fmt.Sprintf("check%d", i+1) }

// config reads a check as the daemon does, from a file.
func (m *machine) config(service string, port uint16, c *check) []checker.Config {
	m.t.Helper()
	server, vip := m.address, "203.0.113.1"
	if c.v6 {
		server, vip = m.v6, "2001:db8:1::1"
	}
	text := fmt.Sprintf("[[service]]\nname = %q\naddress = %q\n[[service.server]]\nname = \"server\"\naddress = %q\n[service.check]\n%s%s",
		service, netip.AddrPortFrom(netip.MustParseAddr(vip), port), netip.AddrPortFrom(server, port), timing, m.addressed(c.keys))
	parsed, err := conf.Parse("holdfast.toml", []byte(text))
	if err != nil {
		m.t.Fatalf("%v\n%s", err, text)
	}
	return parsed.Services[0].Checks()
}

// await waits until the latest attempt of a check found what it must find.
func (m *machine) await(set *checker.Set, service, what, want string) {
	m.t.Helper()
	lab.Wait(m.t, 20*time.Second, fmt.Sprintf("%s: finds %q", what, want), func() (string, bool) {
		for _, s := range set.Status() {
			if !strings.HasPrefix(s.ID, service+"/") {
				continue
			}
			if s.Last == nil {
				return "no attempt yet", false
			}
			got := s.Last.Reason
			return fmt.Sprintf("%q, state %s", got, s.State), like(want, got) && s.Up == (want == "")
		}
		return "no such check", false
	})
}

// like reports whether a text is as a pattern says, in which three dots stand for
// anything.
func like(pattern, text string) bool {
	parts := strings.Split(pattern, "...")
	rest, ok := strings.CutPrefix(text, parts[0])
	for i, part := range parts[1:] {
		if i == len(parts)-2 {
			return ok && strings.HasSuffix(rest, part)
		}
		var found bool
		_, rest, found = strings.Cut(rest, part)
		ok = ok && found
	}
	return ok && rest == ""
}
