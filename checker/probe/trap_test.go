package probe

import (
	"strings"
	"testing"
)

// knownTraps knows one trap for each service.
type knownTraps map[string]Ended

func (k knownTraps) Latest(service string) (status int, output string, ok bool) {
	e, ok := k[service]
	return e.Status, string(e.Output), ok
}

func (knownTraps) Watch(string, func()) func() { return func() {} }

// A trap that names servers is about these, any other about all.
func TestTrap(t *testing.T) {
	traps := knownTraps{
		"a:named": {Status: 1, Output: []byte("www2\n\nwww2: refused")}, "a:all": {Status: 3, Output: []byte("no route\n\n")}, "a:well": {Output: []byte("\n\n")},
	}
	servers := []Named{{Name: "www1"}, {Name: "www2"}}
	for service, want := range map[string][2]string{
		"a:named": {"", "www2: refused"}, "a:all": {"exit status 3: no route", "exit status 3: no route"}, "a:well": {"", ""},
		"a:new": {"no trap has come yet", "no trap has come yet"},
	} {
		for i, server := range servers {
			p := (&Tools{Traps: traps}).Prober(Trap{}.For(Subject{Service: service, Server: server.Name}, servers), Target{})
			got := ""
			if err := p.Probe(t.Context()); err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, want[i]) || want[i] == "" && got != "" {
				t.Errorf("%s %s: %q, want %q", service, server.Name, got, want[i])
			}
		}
	}
}
