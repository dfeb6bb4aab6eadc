package integration_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

// A monTree is the folder of one of the two that run the same mon.cf: monitors and
// alerts that record how they are called. The answers of a monitor are planned by the
// number of its run, so that both see the same, whenever they ask. What follows a slash is
// the exit status, 3 without one.
type monTree struct {
	dir   string
	plans map[string]string // of each service
}

// monPlans has the answers of each service: a word a run, "-" for a good one. The last
// one is repeated.
var monPlans = map[string]string{
	"router-ping": "r1 r1 r1",
	"web-http":    "- www2 www2 www1,www2 - www1 -",
	"web-all":     "w - w w -",
	"web-after":   "w w - w w w -",
	"web-each":    "w w - w -",
	"web-strict":  "w - w - w -",
	"web-detail":  "w.1 w.1 w.2 -",
	"web-number":  "w w w - w -",
	"web-comp":    "w - - w -",
	"web-dep":     "- w w - w",
	"web-either":  "- w w -",
	"web-neither": "- w w -",
	"web-list":    "- w w -",
	"web-disk":    "- f f -",
	"web-pace":    "- w w w -",
	"web-exit":    "w/2 w/3 w/2 w/4 - w/9 -",
	"web-range":   "w/9 w/2 w/1 - w/9 -",
	"web-start":   "w w - w -",
	"web-spread":  "- w w - -",
	"web-ack":     "w w w v v -",
	"web-base":    "www2 www2 www2",
	"web-host":    "- w - -",
}

func newMonTree(t *testing.T, l *lab.Lab, name string, plans map[string]string) monTree {
	t.Helper()
	tree := monTree{filepath.Join(l.Dir(), name), plans}
	for _, folder := range []string{"bin", "log", "state", "runs", "alerts", "plan"} {
		if err := os.MkdirAll(filepath.Join(tree.dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write := func(file, text string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(tree.dir, file), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	for service, plan := range plans {
		write("plan/"+service, strings.Join(strings.Fields(plan), "\n")+"\n", 0o644)
	}
	// The file of a run is complete when it appears. Words behind a dot are detail.
	write("bin/test.monitor", `#!/bin/sh
cd '`+tree.dir+`' || exit 9
s=$MON_GROUP-$MON_SERVICE
n=$(($(ls runs | grep -c "^$s\.") + 1))
{ for a; do printf '<%s>' "$a"; done; echo; env | grep -E '^(MON|TEST)_' | grep -v MON_DEPEND_STATUS | sort; } >runs/.$s
mv runs/.$s runs/$s.$n
word=$(sed -n "${n}p" plan/$s); [ -n "$word" ] || word=$(tail -n 1 plan/$s)
[ "$word" = - ] && exit 0
status=3; case $word in */*) status=${word#*/} word=${word%/*};; esac
echo "${word%.*}" | tr , ' '
echo "$word: refused"
exit $status
`, 0o755)
	write("bin/test.alert", `#!/bin/sh
cd '`+tree.dir+`' || exit 9
f=alerts/.$$
{ for a; do printf '<%s>' "$a"; done; echo; env | grep -E '^(MON|TEST)_' | sort; echo stdin:; cat; } >$f
mv $f alerts/$4-$2.$(ls runs | grep -c "^$4-$2\.").$$
`, 0o755)
	write("auth.cf", "command section\nlist: all\nack: all\n", 0o644)
	return tree
}

// config is the mon.cf of the tree.
func (m monTree) config() string {
	tomorrow := []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}[(time.Now().Weekday()+2)%7]
	var b strings.Builder
	fmt.Fprintf(&b, "basedir = %[1]s\ncfbasedir = %[1]s\nmondir = bin\nalertdir = bin\nstatedir = state\nlogdir = log\n"+
		"authfile = %[1]s/auth.cf\npidfile = %[1]s/pid\nserverbind = 127.0.0.1\ntrapbind = 127.0.0.1\n\n"+
		"hostgroup router r1\n\nhostgroup web www1\n\twww2 \\\n\twww3 *www4\n\n", m.dir)
	b.WriteString("watch router\n service ping\n  interval 1s\n  monitor test.monitor\n  period\n   alert test.alert router\n   alertevery 1h\n\nwatch web\n")
	for _, s := range []struct{ name, lines string }{
		{"http", "description the web\n TEST_WORD=a b\n monitor test.monitor -a \"b c\" 'd \"e'\n exclude_hosts www3\n period wd {Sun-Sat}\n alert test.alert -S \"x y\"\n upalert test.alert up\n alertevery 1h\n" +
			" period CLOSED: wd {" + tomorrow + "}\n alert test.alert closed\n upalert test.alert closed"},
		{"all", "period\n alert test.alert one\n alert test.alert two\n upalert test.alert one"},
		{"after", "period\n alert test.alert x\n upalert test.alert x\n alertafter 3"},
		{"each", "period\n alert test.alert x"},
		{"strict", "period\n alert test.alert x\n upalert test.alert x\n alertevery 1h strict"},
		{"detail", "period\n alert test.alert x\n alertevery 1h observe_detail\n period IGNORE:\n alert test.alert ignore\n alertevery 1h ignore_summary"},
		{"number", "period\n alert test.alert x\n upalert test.alert x\n numalerts 2"},
		{"comp", "period\n alert test.alert x\n upalert test.alert x\n alertafter 1h\n no_comp_alerts"},
		{"dep", "depend router:ping\n period\n alert test.alert x\n upalert test.alert x"},
		{"either", "depend router:ping || SELF:base\n period\n alert test.alert x\n upalert test.alert x"},
		{"neither", "depend !router:ping and !(SELF:base || router:ping)\n period\n alert test.alert x\n upalert test.alert x"},
		{"list", "depend router:ping SELF:base\n period\n alert test.alert x\n upalert test.alert x"},
		{"pace", "failure_interval 1s\n period\n alert test.alert x\n upalert test.alert x"},
		{"exit", "period\n alert exit=2 test.alert two\n alert exit=3-5 test.alert more\n upalert test.alert two\n alertevery 1h strict"},
		{"range", "period\n alert test.alert x\n upalert test.alert x\n alertexitrange 1-2"},
		{"start", "period\n alert test.alert x\n startupalert test.alert x -1\n upalert test.alert x\n alertevery 1h strict\n numalerts 2"},
		{"spread", "redistribute test.alert spread \"a b\"\n period\n alert test.alert x"},
		{"ack", "unack_summary 1\n period\n alert test.alert x\n ackalert test.alert acked\n upalert test.alert x"},
		{"base", "period\n alert test.alert x\n alertevery 1h"},
		{"host", "hostdepend web:base\n period\n alert test.alert x\n upalert test.alert x"},
		{"disk", "monitor test.monitor /www1:5000 ;;\n period\n alert test.alert x\n upalert test.alert x"},
	} {
		lines := s.lines
		if !strings.Contains(lines, "monitor test.monitor") {
			lines = "monitor test.monitor\n " + lines
		}
		interval := "2s" // holdfast ends a monitor that takes as long
		switch s.name {
		case "dep", "either", "neither", "list":
			interval = "3s" // the router has failed before the second run
		case "host":
			interval = "5s" // and so has base
		case "ack":
			interval = "4s" // the acknowledgement arrives between two runs
		}
		fmt.Fprintf(&b, " service %s\n interval %s\n %s\n", s.name, interval, lines)
	}
	return b.String()
}

// ended reports whether each monitor has run once more than its plan has words, so that
// the alerts of these runs have been called.
func (m monTree) ended() (seen string, ok bool) {
	files, _ := os.ReadDir(filepath.Join(m.dir, "runs"))
	ok = true
	for _, service := range slices.Sorted(maps.Keys(m.plans)) {
		n := 0
		for _, f := range files {
			if strings.HasPrefix(f.Name(), service+".") {
				n++
			}
		}
		ok = ok && n > m.planned(service)
		seen += fmt.Sprintf("%s %d\n", service, n)
	}
	return seen, ok
}

// planned returns how many runs of a service are compared.
func (m monTree) planned(service string) int { return len(strings.Fields(m.plans[service])) }

var (
	monAck      = regexp.MustCompile(`(?m)^(MON_ACK=|)(: taken|root: taken)$`)
	monTime     = regexp.MustCompile(`\b1[0-9]{9}\b`)
	alertNumber = regexp.MustCompile(`\.(\d+)\.\d+$`)
)

// tooEarly is a run that mon makes when web:base has failed already, and holdfast, which
// asks sooner, perhaps before.
const tooEarly = "web-host.1"

// record returns the first runs of each monitor, and the alerts of these runs.
func (m monTree) record(t *testing.T) (runs, alerts []string) {
	t.Helper()
	read := func(folder, name string) string {
		text, err := os.ReadFile(filepath.Join(m.dir, folder, name))
		if err != nil {
			t.Fatal(err)
		}
		// The name of the folder may have digits like those of a time.
		plain := monTime.ReplaceAllString(strings.ReplaceAll(string(text), m.dir, "DIR"), "TIME")
		return monAck.ReplaceAllString(plain, "${1}WHO: WHY")
	}
	files, _ := os.ReadDir(filepath.Join(m.dir, "runs"))
	for _, f := range files {
		service, number, _ := strings.Cut(f.Name(), ".")
		var n int
		if _, err := fmt.Sscan(number, &n); err == nil && service != "" && n <= m.planned(service) && f.Name() != tooEarly {
			runs = append(runs, f.Name()+" "+read("runs", f.Name()))
		}
	}
	files, _ = os.ReadDir(filepath.Join(m.dir, "alerts"))
	for _, f := range files {
		number := alertNumber.FindStringSubmatch(f.Name())
		var n int
		if number == nil {
			continue
		}
		service, _, _ := strings.Cut(f.Name(), ".")
		if _, err := fmt.Sscan(number[1], &n); err != nil || n > m.planned(service) {
			continue
		}
		name, text := alertNumber.ReplaceAllString(f.Name(), ".$1"), read("alerts", f.Name())
		if strings.Contains(text, "MON_ALERTTYPE=startup\n") {
			name = service + ".start" // holdfast asks sooner: the first run may have begun
		}
		if strings.Contains(text, "MON_ALERTTYPE=ack\n") {
			name = service + ".ack"
		}
		alerts = append(alerts, name+" "+text)
	}
	slices.Sort(runs)
	slices.Sort(alerts)
	return runs, alerts
}

// mon and holdfast with the converted file call the same monitors and the same alerts,
// with the same arguments, environment and input, at the same runs.
func TestConvertedMonDoesTheSame(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	host := l.Host("mon")
	theirs, ours := newMonTree(t, l, "theirs", monPlans), newMonTree(t, l, "ours", monPlans)
	daemon := startMons(t, host, l.WriteFile("mon.cf", theirs.config()), l.WriteFile("ours.cf", ours.config()))
	acknowledgeMons(t, host, daemon, theirs, ours)
	_, wantAlerts := compareMons(t, theirs, ours)
	if len(wantAlerts) < 20 {
		t.Errorf("mon has called %d alerts only:\n%s", len(wantAlerts), strings.Join(wantAlerts, "\n"))
	}
	status, _, _ := daemon.CLI("status", "lvs")
	if !strings.Contains(status, "router:ping") || !strings.Contains(status, "0 of 1 up") {
		t.Errorf("status:\n%s", status)
	}
}

// startMons starts mon with one file, and holdfast with what becomes of the other.
func startMons(t *testing.T, host *lab.Host, theirs, ours string) *lab.Daemon {
	t.Helper()
	root := filepath.Join(tools.Cache(), "root")
	mon := filepath.Join(root, "usr/sbin/mon")
	if _, err := os.Stat(mon); err != nil {
		tools.Without(t, "netns", err)
	}
	host.Start("/usr/bin/env", "PERL5LIB="+filepath.Join(root, "usr/share/perl5"), "perl", mon, "-c", theirs)
	daemon := host.NewDaemon("")
	converted := ours + ".toml"
	_, report, err := daemon.CLI("convert", "--from", "mon", "-o", converted, ours)
	if _, missing := os.Stat(converted); missing != nil {
		t.Fatalf("convert: %v\n%s", err, report)
	}
	daemon.ConfigureFile(converted)
	daemon.Restart()
	return daemon
}

// acknowledgeMons acknowledges the failure of web:ack after its second alert, in mon and in
// holdfast.
func acknowledgeMons(t *testing.T, host *lab.Host, daemon *lab.Daemon, theirs, ours monTree) {
	t.Helper()
	root := filepath.Join(tools.Cache(), "root")
	acknowledge := map[string]func(){
		theirs.dir: func() {
			host.Run("/usr/bin/env", "PERL5LIB="+filepath.Join(root, "usr/share/perl5"), "perl", filepath.Join(root, "usr/bin/moncmd"), "-s", "127.0.0.1", "ack", "web", "ack", "taken")
		},
		ours.dir: func() {
			if _, report, err := daemon.CLI("ack", "--comment", "taken", "web:ack"); err != nil {
				t.Errorf("ack: %v\n%s", err, report)
			}
		},
	}
	lab.Wait(t, 30*time.Second, "the second alert of web:ack", func() (string, bool) {
		for dir, ack := range acknowledge {
			if found, _ := filepath.Glob(filepath.Join(dir, "alerts/web-ack.2.*")); len(found) > 0 {
				delete(acknowledge, dir)
				ack()
			}
		}
		return fmt.Sprint(len(acknowledge)), len(acknowledge) == 0
	})
}

// compareMons compares the calls of monitors and alerts once all planned ones have been
// made.
func compareMons(t *testing.T, theirs, ours monTree) (runs, alerts []string) {
	t.Helper()
	for _, tree := range []monTree{theirs, ours} {
		lab.Wait(t, 90*time.Second, "the runs of the monitors", tree.ended)
	}
	runs, alerts = theirs.record(t)
	gotRuns, gotAlerts := ours.record(t)
	if diff := cmp.Diff(runs, gotRuns); diff != "" {
		t.Errorf("monitors (-mon +holdfast):\n%s", diff)
	}
	if diff := cmp.Diff(alerts, gotAlerts); diff != "" {
		t.Errorf("alerts (-mon +holdfast):\n%s", diff)
	}
	return runs, alerts
}
