package probe

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A stage is Programs that run nothing: the test says what comes of a program.
type stage struct {
	ended Ended
	err   error
	ran   []Program
}

func (s *stage) Run(_ context.Context, p Program) (Ended, error) {
	s.ran = append(s.ran, p)
	return s.ended, s.err
}

// external returns the settings of a style, of server web/a at 192.0.2.11:8080.
func external(style Style, change func(*External)) (External, Target) {
	s := defaultExternal
	s.Command, s.Style = []string{"/lib/check"}, style
	if change != nil {
		change(&s)
	}
	to := Target{Address: netip.MustParseAddrPort("192.0.2.11:8080"), Timeout: 1500 * time.Millisecond, Interval: 2 * time.Second}
	about := Subject{Service: "web", Server: "a", ServiceAddress: "198.51.100.1", ServicePort: 80, Protocol: "tcp"}
	return s.For(about, []Named{{"a", "192.0.2.11"}, {"b", "192.0.2.12"}}).(External), to
}

// What each style passes to a program.
func TestExternalProgram(t *testing.T) {
	tests := []struct {
		name   string
		style  Style
		change func(*External)
		want   Program
	}{
		{"plain", StylePlain, func(s *External) { s.User, s.Group = "nobody", "users" }, Program{
			Argv: []string{"/lib/check"}, User: "nobody", Group: "users",
			Environment: []string{
				"HOLDFAST_CHECK=plain", "HOLDFAST_ADDRESS=192.0.2.11", "HOLDFAST_PORT=8080", "HOLDFAST_SERVER=a", "HOLDFAST_SERVICE=web",
				"HOLDFAST_SERVICE_ADDRESS=198.51.100.1", "HOLDFAST_SERVICE_PORT=80", "HOLDFAST_MARK=0", "HOLDFAST_PROTOCOL=tcp", "HOLDFAST_TIMEOUT=1.5",
			},
		}},
		{"placeholders", StyleNagios, func(s *External) {
			s.Command = []string{"/{server}/check", "-H", "{address}", "-p{port}", "{service}/{server}", "{service_address}:{service_port}", "{mark}", "{x}"}
			s.Environment = []string{"A=b"}
		}, Program{
			Argv:        []string{"/{server}/check", "-H", "192.0.2.11", "-p8080", "web/a", "198.51.100.1:80", "0", "{x}"},
			Environment: []string{"HOLDFAST_CHECK=nagios", "A=b"},
		}},
		{"misc", StyleMisc, nil, Program{Argv: []string{"/lib/check"}, Environment: []string{"HOLDFAST_CHECK=misc"}}},
		{"mon", StyleMon, func(s *External) { s.Command = []string{"/lib/http.monitor", "-p", "80"} }, Program{
			Argv: []string{"/lib/http.monitor", "-p", "80", "192.0.2.11"}, Environment: monVariables("http"),
		}},
		{"mon by name", StyleMon, func(s *External) { s.Host = HostName }, Program{
			Argv: []string{"/lib/check", "a"}, Environment: monVariables("check"),
		}},
		{"mon without hosts", StyleMon, func(s *External) { s.Host = HostNone }, Program{
			Argv: []string{"/lib/check"}, Environment: append(firstRun(), monVariables("check")...),
		}},
		{"mon together", StyleMon, func(s *External) { s.Together = true }, Program{
			Argv: []string{"/lib/check", "192.0.2.11", "192.0.2.12"}, Environment: append(firstRun(), monVariables("check")...),
		}},
		{"ldirectord", StyleLdirectord, nil, Program{
			Argv: []string{"/lib/check", "198.51.100.1", "80", "192.0.2.11", "8080"}, Environment: []string{"HOLDFAST_CHECK=ldirectord"},
		}},
		{"ldirectord-perl", StyleLdirectordPerl, nil, Program{
			Argv:   []string{perl, "-e", perlSub, "/lib/check", "198.51.100.1", "80", "192.0.2.11", "8080"},
			Script: "/lib/check", Environment: []string{"HOLDFAST_CHECK=ldirectord-perl"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, to := external(tt.style, tt.change)
			if errs := s.Validate(); errs != nil {
				t.Fatal(errs.Join())
			}
			var on stage
			p := (&Tools{Programs: &on}).Prober(s, to)
			defer Discard(p)
			if err := p.Probe(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]Program{tt.want}, on.ran); diff != "" {
				t.Errorf("program (-want +got):\n%s", diff)
			}
		})
	}
}

// firstRun is what a monitor that asks for all servers is told of earlier runs.
func firstRun() []string { return []string{"MON_LAST_FAILURE=0", "MON_LAST_SUCCESS=0"} }

func monVariables(service string) []string {
	return []string{
		"HOLDFAST_CHECK=mon", "MON_GROUP=web", "MON_SERVICE=" + service,
		"MON_STATEDIR=/var/lib/mon", "MON_LOGDIR=/var/log/mon", "MON_CFBASEDIR=/etc/mon",
	}
}

// ldirectord passes a mark as "mark 0", and IPv6 addresses in brackets.
func TestLdirectordArguments(t *testing.T) {
	s := External{Command: []string{"/x"}, Style: StyleLdirectord}
	s = s.For(Subject{Service: "web", Mark: 7}, nil).(External)
	to := Target{Address: netip.MustParseAddrPort("[2001:db8::11]:0")}
	if diff := cmp.Diff([]string{"7", "0", "[2001:db8::11]", "0"}, s.ldirectordArguments(to)); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
}

// What each style makes of the end of a program.
func TestExternalAnswer(t *testing.T) {
	weights := func(from WeightFrom) func(*External) { return func(s *External) { s.Weight = from } }
	tests := []struct {
		name    string
		style   Style
		change  func(*External)
		ended   Ended
		reason  string // "": well
		warning string
		weight  string // "": none
	}{
		{name: "plain", style: StylePlain},
		{name: "plain fails", style: StylePlain, ended: Ended{Status: 3, Output: []byte("\n down\tfor good \nmore\n")}, reason: "exit status 3: down for good"},
		{name: "plain says it on stderr", style: StylePlain, ended: Ended{Status: 1, Errors: []byte("no route\n")}, reason: "exit status 1: no route"},
		{name: "plain ends by a signal", style: StylePlain, ended: Ended{Status: -1, Signal: "killed"}, reason: "ended by signal: killed"},
		{name: "output is no weight unless asked for", style: StylePlain, ended: Ended{Output: []byte("7")}},
		{name: "weight", style: StylePlain, change: weights(WeightFromOutput), ended: Ended{Output: []byte("7 connections\n")}, weight: "7"},
		{name: "percent", style: StylePlain, change: weights(WeightFromOutput), ended: Ended{Output: []byte("75%\n")}, weight: "75%"},
		{name: "delta", style: StylePlain, change: weights(WeightFromOutput), ended: Ended{Output: []byte("-3\n")}, weight: "-3"},
		{name: "no weight", style: StylePlain, change: weights(WeightFromOutput), ended: Ended{Output: []byte("ok\n")},
			warning: `the first line of output is "ok", not a weight like 10, 75% or -3`},
		{name: "weight of a failure", style: StylePlain, change: weights(WeightFromOutput), ended: Ended{Status: 1, Output: []byte("7\n")}, reason: "exit status 1: 7"},

		{name: "nagios ok", style: StyleNagios, ended: Ended{Output: []byte("TCP OK - 0.001 second|time=0.001\n")}},
		{name: "nagios warning", style: StyleNagios, ended: Ended{Status: 1, Output: []byte("HTTP WARNING: slow |time=3s\n")}, warning: "HTTP WARNING: slow"},
		{name: "nagios critical", style: StyleNagios, ended: Ended{Status: 2, Output: []byte("connect refused\n")}, reason: "connect refused"},
		{name: "nagios silent", style: StyleNagios, ended: Ended{Status: 2}, reason: "exit status 2 without output"},
		{name: "nagios unknown", style: StyleNagios, ended: Ended{Status: 3, Output: []byte("bad option\n")}, reason: "inconclusive: bad option"},
		{name: "no nagios plugin", style: StyleNagios, ended: Ended{Status: 127, Errors: []byte("not found\n")}, reason: "exit status 127: not found"},

		{name: "misc", style: StyleMisc},
		{name: "misc fails", style: StyleMisc, ended: Ended{Status: 1}, reason: "exit status 1"},
		{name: "misc without dynamic", style: StyleMisc, ended: Ended{Status: 5}, reason: "exit status 5"},
		{name: "dynamic 0", style: StyleMisc, change: weights(WeightFromExit)},
		{name: "dynamic 1", style: StyleMisc, change: weights(WeightFromExit), ended: Ended{Status: 1}, reason: "exit status 1"},
		{name: "dynamic 2", style: StyleMisc, change: weights(WeightFromExit), ended: Ended{Status: 2}, weight: "0"},
		{name: "dynamic 255", style: StyleMisc, change: weights(WeightFromExit), ended: Ended{Status: 255}, weight: "253"},
		{name: "dynamic killed", style: StyleMisc, change: weights(WeightFromExit), ended: Ended{Status: -1, Signal: "killed"}, reason: "ended by signal: killed"},

		{name: "mon", style: StyleMon},
		{name: "mon names the host", style: StyleMon, ended: Ended{Status: 1, Output: []byte("192.0.2.11\n\n---\nTesting\n192.0.2.11: refused\n")}, reason: "192.0.2.11: refused"},
		{name: "mon names only the host", style: StyleMon, ended: Ended{Status: 1, Output: []byte("192.0.2.11\n")}, reason: "the monitor names it as failed"},
		{name: "mon says more of the host", style: StyleMon, ended: Ended{Status: 1, Output: []byte("192.0.2.11 refuses all\n")}, reason: "192.0.2.11 refuses all"},
		{name: "mon adds a count", style: StyleMon, ended: Ended{Status: 1, Output: []byte("192.0.2.11(0)\n- refused\n")}, reason: "- refused"},
		{name: "mon names a longer address", style: StyleMon, ended: Ended{Status: 1, Output: []byte("192.0.2.110\n")}, reason: "exit status 1: 192.0.2.110"},
		{name: "mon names nobody", style: StyleMon, ended: Ended{Status: 2, Output: []byte("usage\n")}, reason: "exit status 2: usage"},
		{name: "ldirectord", style: StyleLdirectord, ended: Ended{Status: 1}, reason: "exit status 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, to := external(tt.style, tt.change)
			p := (&Tools{Programs: &stage{ended: tt.ended}}).Prober(s, to)
			w, err := p.(Weigher).ProbeWeight(t.Context())
			reason, weight := "", ""
			if err != nil {
				reason = err.Error()
			}
			if IsInconclusive(err) {
				reason = "inconclusive: " + reason
			}
			if w != nil {
				weight = w.String()
			}
			if reason != tt.reason || weight != tt.weight || p.(Warner).Warning() != tt.warning {
				t.Errorf("reason %q, weight %q, warning %q\nwant   %q, weight %q, warning %q",
					reason, weight, p.(Warner).Warning(), tt.reason, tt.weight, tt.warning)
			}
		})
	}
}

// A program that cannot be run says nothing of the server.
func TestExternalNotRun(t *testing.T) {
	s, to := external(StylePlain, nil)
	missing := errors.New("script /lib/check does not exist")
	for _, programs := range []Programs{nil, &stage{err: missing}} {
		err := (&Tools{Programs: programs}).Prober(s, to).Probe(t.Context())
		if !IsInconclusive(err) {
			t.Errorf("error %v", err)
		}
	}
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	err := (&Tools{Programs: &stage{err: context.DeadlineExceeded}}).Prober(s, to).Probe(late)
	if err == nil || err.Error() != "timeout after 1.5s" || IsInconclusive(err) {
		t.Errorf("error %v", err)
	}
}

// Services share a check whose program is not told of them.
func TestExternalSharing(t *testing.T) {
	for _, style := range Styles() {
		s, _ := external(style, nil)
		plain := External{Command: []string{"/lib/check"}, Style: style, Weight: WeightFromNone, Host: HostAddress}
		other := plain.For(Subject{Service: "other", Server: "z", ServiceAddress: "198.51.100.2", ServicePort: 80}, nil)
		shared := style == StyleNagios || style == StyleMisc
		if same := cmp.Equal(Settings(s), other); same != shared {
			t.Errorf("%s: shared %v, want %v", style, same, shared)
		}
	}
}

func TestValidateExternal(t *testing.T) {
	tests := []struct {
		name   string
		change func(*External)
		want   string
	}{
		{"no command", func(s *External) { s.Command = nil }, `command: is required with type = "external"`},
		{"relative", func(s *External) { s.Command[0] = "check" }, `command: must name a program by its absolute path, not "check"`},
		{"environment", func(s *External) { s.Environment = []string{"=x"} }, `environment: "=x" is not like NAME=value`},
		{"exit", func(s *External) { s.Weight = WeightFromExit }, `weight: "exit" needs style = "misc": the exit statuses of other styles have a meaning already`},
		{"output", func(s *External) { s.Style, s.Weight = StyleMon, WeightFromOutput }, `weight: "output" needs style = "plain": the first line of other styles has a meaning already`},
		{"host", func(s *External) { s.Host = HostName }, `host: has no effect without style = "mon"`},
		{"together", func(s *External) { s.Together = true }, `together: has no effect without style = "mon"`},
		{"together without hosts", func(s *External) { s.Style, s.Together, s.Host = StyleMon, true, HostNone }, `together: has no effect with host = "none"`},
		{"together for one", func(s *External) { s.Style, s.Together, s.Command = StyleMon, true, []string{"/x", "{port}"} }, "command: must not name one server, because together = true asks for all of them"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := external(StylePlain, tt.change)
			wantFaults(t, s.Validate(), tt.want)
		})
	}
}

// A long line of output is cut, and one with control characters is made plain.
func TestPlainLine(t *testing.T) {
	if got := firstLine([]byte(" \n\x1b[31m" + strings.Repeat("é", 200))); got != "[31m"+strings.Repeat("é", 156)+"…" {
		t.Errorf("line %q", got)
	}
}
