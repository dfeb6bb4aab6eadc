package servers_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"holdfast/checker"
	"holdfast/checker/probe"
	"holdfast/checker/probe/clients"
	"holdfast/conf"
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

// The timing of checks: a verdict at each attempt.
const (
	timing = "interval = \"600ms\"\ntimeout = \"600ms\"\nretry_interval = \"50ms\"\nfall = 1\n"
	// onDemand leaves it to the test when attempts are made: many checks at their
	// interval would keep a small machine busy.
	onDemand = "interval = \"24h\"\ntimeout = \"1s\"\nfall = 1\n"
)

// prove takes the machine's server through its life and holds each check to what
// it must find. Each is as told while the server runs, and down while it does not
// answer and when it is gone.
func (m *machine) prove(port uint16, checks ...check) {
	m.t.Helper()
	set := m.checker(port, checks, onDemand)
	told := func(c check) string { return c.reason }
	m.all(set, "the server runs", checks, 2, told)
	m.freeze()
	m.all(set, "the server is silent", checks, len(checks), func(check) string { return "...timeout after 1s" })
	m.thaw()
	m.all(set, "the server runs again", checks, 2, told)
	m.stop()
	m.all(set, "the server is gone", checks, 2, func(check) string { return "...connection refused" })
}

// all waits until every check finds what it must, so many at once.
func (m *machine) all(set *checker.Set, what string, checks []check, atOnce int, want func(check) string) {
	m.t.Helper()
	var done sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for i, c := range checks {
		places <- struct{}{}
		done.Go(func() {
			if err := m.finds(set, serviceName(i), want(c)); err != nil {
				m.t.Errorf("%s: %s: %v", what, c.name, err)
			}
			<-places
		})
	}
	done.Wait()
	if m.t.Failed() {
		m.t.FailNow()
	}
}

// watch starts checks of a port of the machine, which run at their interval.
func (m *machine) watch(port uint16, checks []check) *checker.Set {
	m.t.Helper()
	return m.checker(port, checks, timing)
}

func (m *machine) checker(port uint16, checks []check, timing string) *checker.Set {
	m.t.Helper()
	set := checker.New(checker.Options{Tools: &probe.Tools{Clients: clients.All}})
	m.t.Cleanup(set.Close)
	var all []checker.Config
	for i := range checks {
		all = append(all, m.config(serviceName(i), port, timing, &checks[i])...)
	}
	if err := set.Apply(all); err != nil {
		m.t.Fatal(err)
	}
	return set
}

// serviceName names the service of a check. The name of a check may have blanks.
func serviceName(i int) string { return fmt.Sprintf("check%d", i+1) }

// config reads a check as the daemon does, from a file.
func (m *machine) config(service string, port uint16, timing string, c *check) []checker.Config {
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
	return parsed.Checks()
}

// await waits until an attempt of a check finds what it must.
func (m *machine) await(set *checker.Set, service, what, want string) {
	m.t.Helper()
	if err := m.finds(set, service, want); err != nil {
		m.t.Fatalf("%s: %v", what, err)
	}
}

// finds makes attempts of a check until one finds what it must, for a while.
func (m *machine) finds(set *checker.Set, service, want string) error {
	ctx, cancel := context.WithTimeout(m.t.Context(), 20*time.Second)
	defer cancel()
	id := service + "/server"
	for last := ""; ; time.Sleep(20 * time.Millisecond) {
		result, err := set.Force(ctx, id)
		if err != nil {
			return fmt.Errorf("it must find %q; the last attempt found %q (%w)", want, last, err)
		}
		last = result.Reason
		for _, s := range set.Status() {
			if s.ID == id && s.Up == (want == "") && like(want, last) {
				return nil
			}
		}
	}
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
