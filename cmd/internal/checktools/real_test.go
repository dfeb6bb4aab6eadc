package checktools

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/checker/probe"
	"holdfast/integration/tools"
)

// fetched returns a copy of a file of the fetched packages, in a folder from which
// programs are run.
func fetched(t *testing.T, path string) string {
	t.Helper()
	from := filepath.Join(tools.Cache(), "root", path)
	if _, err := os.Stat(from); err != nil {
		from = path // the host has the package
	}
	text, err := os.ReadFile(from)
	if err != nil {
		tools.Without(t, "netns", fmt.Sprintf("%v (run `make tools`)", err))
	}
	to := filepath.Join(tools.Dir(t), filepath.Base(path))
	if err := os.WriteFile(to, text, 0o755); err != nil {
		t.Fatal(err)
	}
	return to
}

// environment has programs find what was fetched with them.
func environment() []string {
	root := filepath.Join(tools.Cache(), "root", "usr")
	libraries, _ := filepath.Glob(root + "/lib/*-linux-gnu*")
	return []string{
		"PATH=" + root + "/bin:" + root + "/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
		"PERL5LIB=" + root + "/share/perl5", "LD_LIBRARY_PATH=" + strings.Join(libraries, ":"),
	}
}

// website serves "/" on a loopback address.
func website(t *testing.T) netip.AddrPort {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

// asked is the result of a check: why the server is not well, and a warning.
type asked struct{ reason, warning string }

// ask makes one attempt of a check whose program is real.
func ask(t *testing.T, s probe.External, to netip.AddrPort, about probe.Subject, servers ...probe.Named) asked {
	t.Helper()
	s.Environment = environment()
	settings := s.For(about, servers)
	if errs := settings.Validate(); errs != nil {
		t.Fatal(errs.Join())
	}
	p := (&probe.Tools{Programs: new(Programs)}).Prober(settings, probe.Target{Address: to, Timeout: 20 * time.Second, Interval: time.Minute})
	defer probe.Discard(p)
	err := p.Probe(t.Context())
	switch {
	case probe.IsInconclusive(err):
		return asked{reason: "inconclusive: " + err.Error()}
	case err != nil:
		return asked{reason: err.Error()}
	}
	return asked{warning: p.(probe.Warner).Warning()}
}

func external(style probe.Style, command ...string) probe.External {
	s := probe.Default("external").(probe.External)
	s.Style, s.Command = style, command
	return s
}

// unused returns an address of the loopback where nobody listens on the port of
// another.
func unused(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.77.0.1"), a.Port())
}

// Debian's monitors of mon, as they are.
func TestMonitors(t *testing.T) {
	about := probe.Subject{Service: "web"}
	tests := []struct {
		monitor string
		options []string
		gone    string // why a server that is not there has failed; "": the test has none
	}{
		{"tcp.monitor", []string{"-p", "{port}"}, "127.77.0.1 could not connect: Connection refused"},
		{"http.monitor", []string{"-p", "{port}"}, "HOST 127.77.0.1: HTTP response code failure"},
		{"fping.monitor", nil, ""}, // every loopback address answers
	}
	for _, tt := range tests {
		t.Run(tt.monitor, func(t *testing.T) {
			t.Parallel()
			web := website(t)
			s := external(probe.StyleMon, append([]string{fetched(t, "/usr/lib/mon/mon.d/"+tt.monitor)}, tt.options...)...)
			if got := ask(t, s, web, about); got != (asked{}) {
				t.Errorf("a server that is well: %+v", got)
			}
			if got := ask(t, s, unused(web), about); got.reason != tt.gone {
				t.Errorf("a server that is not there: %+v, want %q", got, tt.gone)
			}
		})
	}
}

// One run of a monitor asks for all servers of a service.
func TestMonitorTogether(t *testing.T) {
	web := website(t)
	gone := unused(web)
	s := external(probe.StyleMon, fetched(t, "/usr/lib/mon/mon.d/tcp.monitor"), "-p", strconv.Itoa(int(web.Port())))
	s.Together = true
	servers := []probe.Named{{Name: "a", Address: web.Addr().String()}, {Name: "b", Address: gone.Addr().String()}}
	if got := ask(t, s, web, probe.Subject{Service: "web", Server: "a"}, servers...); got != (asked{}) {
		t.Errorf("the server that is well: %+v", got)
	}
	want := "127.77.0.1 could not connect: Connection refused"
	if got := ask(t, s, gone, probe.Subject{Service: "web", Server: "b"}, servers...); got.reason != want {
		t.Errorf("the server that is not there: %+v, want %q", got, want)
	}
}

// Debian's Nagios plugins.
func TestNagiosPlugins(t *testing.T) {
	tests := []struct {
		plugin  string
		options []string
		gone    bool
		want    asked // begins so
	}{
		{"check_tcp", []string{"-H", "{address}", "-p", "{port}"}, false, asked{}},
		{"check_tcp", []string{"-H", "{address}", "-p", "{port}"}, true, asked{reason: "connect to address 127.77.0.1 and port "}},
		{"check_http", []string{"-I", "{address}", "-p", "{port}"}, false, asked{}},
		{"check_http", []string{"-I", "{address}", "-p", "{port}", "-u", "/none"}, false, asked{warning: "HTTP WARNING: HTTP/1.0 404 Not Found"}},
		{"check_http", []string{"-I", "{address}", "-p", "{port}", "-e", "999"}, false, asked{reason: "HTTP CRITICAL - Invalid HTTP response received from host"}},
		{"check_dummy", []string{"3", "nobody knows"}, false, asked{reason: "inconclusive: UNKNOWN: nobody knows"}},
	}
	for _, tt := range tests {
		t.Run(tt.plugin+" "+strings.Join(tt.options, " "), func(t *testing.T) {
			t.Parallel()
			to := website(t)
			if tt.gone {
				to = unused(to)
			}
			s := external(probe.StyleNagios, append([]string{fetched(t, "/usr/lib/nagios/plugins/"+tt.plugin)}, tt.options...)...)
			got := ask(t, s, to, probe.Subject{})
			if !begins(got.reason, tt.want.reason) || !begins(got.warning, tt.want.warning) {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

// begins reports whether a text begins with another, which is empty only if the text
// is.
func begins(text, with string) bool {
	return strings.HasPrefix(text, with) && (text == "") == (with == "")
}

// ldirectord's own functions, called as ldirectord does for a check of a real server.
// It prints what they find of the server.
const askLdirectord = `
my ($source, $function, $command, @about) = @ARGV;
open my $file, "<", $source or die "$source: $!";
my $text = do { local $/; <$file> };
our ($DEBUG, %check_external_perl__funcs) = (0);
for my $name (qw(check_external check_external_perl system_timeout)) {
	$text =~ /^(sub $name\b.*?^\})/ms or die "no $name in $source";
	eval "no strict; $1; 1" or die $@;
}
sub ld_debug {}
sub ld_log {}
sub service_set { print "found: $_[2]\n" }
my %virtual = (checkcommand => $command, checktimeout => 20, port => $about[1]);
$virtual{$about[0] =~ /\./ ? "server" : "fwm"} = $about[0];
$| = 1;
@ARGV = ();
main->can($function)->(\%virtual, {server => $about[2], port => $about[3]});
`

// Scripts for ldirectord's checktypes external and external-perl get the same from
// holdfast as from ldirectord, and mean the same.
func TestLdirectordScripts(t *testing.T) {
	real := fetched(t, "/usr/sbin/ldirectord")
	functions := map[probe.Style]string{probe.StyleLdirectord: "check_external", probe.StyleLdirectordPerl: "check_external_perl"}
	note := `open my $f, ">", "NOTE" or die; print $f join(" ", @ARGV), "\n"; close $f;` + "\n"
	scripts := map[string]string{
		"well":    "#!/usr/bin/perl\n" + note,
		"dies":    "#!/usr/bin/perl\n" + note + "die 'no';\n",
		"missing": "",
	}
	for style, function := range functions {
		for name, script := range scripts {
			for _, mark := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s mark %v", style, name, mark), func(t *testing.T) {
					t.Parallel()
					about := probe.Subject{Service: "web", ServiceAddress: "198.51.100.1", ServicePort: 80}
					virtual := []string{"198.51.100.1", "80"}
					if mark {
						about, virtual = probe.Subject{Service: "web", Mark: 7}, []string{"7", "0"}
					}
					command := filepath.Join(tools.Dir(t), "check.pl")
					noted := filepath.Join(filepath.Dir(command), "note")
					if script != "" {
						writeScript(t, command, strings.ReplaceAll(script, "NOTE", noted))
					}
					theirs := exec.Command("/usr/bin/perl", "-e", askLdirectord, real, function, command, virtual[0], virtual[1], "192.0.2.11", "8080")
					out, err := theirs.CombinedOutput()
					if err != nil {
						t.Fatalf("ldirectord: %v\n%s", err, out)
					}
					wantArguments, _ := os.ReadFile(noted)
					_ = os.Remove(noted)

					got := ask(t, external(style, command), netip.MustParseAddrPort("192.0.2.11:8080"), about)
					arguments, _ := os.ReadFile(noted)
					if string(arguments) != string(wantArguments) {
						t.Errorf("arguments %q, ldirectord passes %q", arguments, wantArguments)
					}
					if up := strings.Contains(string(out), "found: up"); up != (got.reason == "") {
						t.Errorf("%+v, ldirectord: %s", got, out)
					}
				})
			}
		}
	}
}

// writeScript writes a file that is run at once. No other process has it open for
// writing: the file is written by a process that has ended.
func writeScript(t *testing.T, path, text string) {
	t.Helper()
	write := exec.Command("/bin/sh", "-c", `cat >"$1" && chmod 755 "$1"`, "sh", path)
	write.Stdin = strings.NewReader(text)
	if out, err := write.CombinedOutput(); err != nil {
		t.Fatalf("write %s: %v\n%s", path, err, out)
	}
}

// A Perl file for ldirectord may return, and need not be executable.
func TestLdirectordPerl(t *testing.T) {
	dir := tools.Dir(t)
	for name, tt := range map[string]struct{ script, want string }{
		"returns":      {"return if $ARGV[1] == 80;\nexit 1;", ""},
		"exits":        {"exit 3;", "exit status 3"},
		"does not run": {"exit 0", ""},
		"no Perl":      {"if (", "exit status 255: syntax error"},
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(path, []byte(tt.script), 0o644); err != nil {
			t.Fatal(err)
		}
		about := probe.Subject{ServiceAddress: "198.51.100.1", ServicePort: 80}
		got := ask(t, external(probe.StyleLdirectordPerl, path), netip.MustParseAddrPort("192.0.2.11:80"), about)
		if !begins(got.reason, tt.want) {
			t.Errorf("%s: %+v, want %q", name, got, tt.want)
		}
	}
}
