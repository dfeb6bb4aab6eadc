package servers_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"holdfast/checker"
	"holdfast/checker/probe"
	"holdfast/conf"
	"holdfast/integration/lab"
)

// asked returns how often nginx was asked for a path.
func (m *machine) asked(path string) int { return strings.Count(m.whole(), "asked "+path+".") }

// services reads services as the daemon does, and starts their checks.
func (m *machine) services(text string, prepare ...func(*checker.Set)) *checker.Set {
	m.t.Helper()
	parsed, err := conf.Parse("holdfast.toml", []byte(m.addressed(text)))
	if err != nil {
		m.t.Fatalf("%v\n%s", err, text)
	}
	set := checker.New(checker.Options{Tools: &probe.Tools{}})
	m.t.Cleanup(set.Close)
	for _, p := range prepare {
		p(set)
	}
	if err := set.Apply(parsed.Checks()); err != nil {
		m.t.Fatal(err)
	}
	return set
}

// state waits until a check of a set is as wanted.
func (m *machine) state(set *checker.Set, id, what string, ok func(checker.Status) bool) {
	m.t.Helper()
	lab.Wait(m.t, 20*time.Second, id+": "+what, func() (string, bool) {
		for _, s := range set.Status() {
			if s.Last == nil {
				s.Last = new(checker.Result)
			}
			if s.ID == id {
				return fmt.Sprintf("%s after %d attempts, %q", s.State, s.Counts.Attempts, s.Last.Reason), ok(s)
			}
		}
		return "no such check", false
	})
}

// When a check is made, as nginx counts it: retry_interval, rise, fall, down_interval,
// negotiate_every, depends, period.
func TestNginxPace(t *testing.T) {
	m := newMachine(t)
	m.nginx()
	port := 1000
	service := func(name, options, check string) string {
		port++
		return fmt.Sprintf("[[service]]\nname = %q\naddress = \"203.0.113.1:%d\"\n%s[[service.server]]\nname = \"server\"\naddress = \"ADDRESS:80\"\n[service.check]\ntype = \"http\"\n%s",
			name, port, options, check)
	}
	closed := []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}[(time.Now().Weekday()+3)%7]
	const often = "interval = \"300ms\"\ntimeout = \"300ms\"\n"
	const once = "interval = \"24h\"\ntimeout = \"1s\"\n"
	set := m.services(strings.Join([]string{
		service("retry", "", once+"path = \"/flag\"\nretry_interval = \"50ms\"\nfall = 3\n"),
		service("rising", "", once+"path = \"/well/rising\"\nretry_interval = \"50ms\"\nrise = 4\n"),
		service("down", "", often+"path = \"/asked/down\"\ndown_interval = \"24h\"\nfall = 1\n"),
		service("negotiate", "", often+"path = \"/well/negotiate\"\nnegotiate_every = 4\n"),
		service("depending", "", often+"path = \"/well/depending\"\ndepends = [\"down\"]\n"),
		service("period", "", often+"path = \"/well/period\"\nperiod = \"wd {"+closed+"}\"\n"),
	}, ""))
	const enough = 12 // attempts of a check that goes on, so that those that should not have had their time
	m.state(set, "retry/server", "up", func(s checker.Status) bool { return s.State == checker.Up })
	if err := os.Remove(m.inside("/srv/flag")); err != nil {
		t.Fatal(err)
	}
	if _, err := set.Force(t.Context(), "retry/server"); err != nil {
		t.Fatal(err)
	}
	m.state(set, "retry/server", "down", func(s checker.Status) bool { return s.State == checker.Down })
	m.state(set, "rising/server", "up", func(s checker.Status) bool { return s.State == checker.Up })
	m.state(set, "depending/server", "waits", func(s checker.Status) bool { return s.State == checker.Waiting })
	m.state(set, "period/server", "up", func(s checker.Status) bool { return s.State == checker.Up })
	depending := m.asked("/well/depending") // before the server that it depends on was down
	m.state(set, "negotiate/server", "goes on", func(s checker.Status) bool { return s.Counts.Attempts >= enough })
	for path, want := range map[string]int{
		"/flag": 1 + 3, "/well/rising": 4, "/asked/down": 1, "/well/period": 1, "/well/depending": depending,
	} {
		if got := m.asked(path); got != want {
			t.Errorf("%s was asked for %d times, want %d", path, got, want)
		}
	}
	if got := m.asked("/well/negotiate"); got < enough/4 || got > enough/2 {
		t.Errorf("of %d and more attempts, %d asked all", enough, got)
	}
}

// The first checks are spread over a time.
func TestNginxSpread(t *testing.T) {
	m := newMachine(t)
	m.nginx()
	var all [2]*checker.Set
	for i, path := range []string{"/well/later", "/well/now"} {
		var text strings.Builder
		for n := range 20 {
			fmt.Fprintf(&text, "[[service]]\nname = \"%d\"\naddress = \"203.0.113.1:%d\"\n[[service.server]]\naddress = \"ADDRESS:80\"\n"+
				"[service.check]\ntype = \"http\"\ninterval = \"24h\"\ntimeout = \"1s\"\npath = \"%s/%d\"\n", n, 1000+n, path, n)
		}
		all[i] = m.services(text.String(), func(set *checker.Set) { set.Pace(1024, []time.Duration{24 * time.Hour, 0}[i]) })
	}
	lab.Wait(t, 20*time.Second, "twenty requests at once", func() (string, bool) {
		return m.log(), strings.Count(m.whole(), "asked /well/now/") == 20
	})
	if n := strings.Count(m.whole(), "asked /well/later/"); n > 1 {
		t.Errorf("%d of 20 requests that are spread over a day were made", n)
	}
}

// An answer says the weight of its server, within bounds.
func TestNginxWeight(t *testing.T) {
	m := newMachine(t)
	m.nginx()
	const http = "type = \"http\"\npath = \"/weight\"\n"
	checks := []check{
		{name: "a header", keys: http + "weight_header = \"X-Weight\"\n"},
		{name: "JSON", keys: http + "weight_json = \"load.weight\"\n"},
		{name: "bounds", keys: http + "weight_header = \"X-Weight\"\nweight_min = 9\n"},
	}
	set := m.checker(80, checks, onDemand)
	for i, want := range []string{"7", "50%", "7"} {
		m.await(set, serviceName(i), checks[i].name, "")
		m.state(set, serviceName(i)+"/server", "weight "+want, func(s checker.Status) bool {
			return s.Last.Weight != nil && s.Last.Weight.String() == want
		})
	}
}
