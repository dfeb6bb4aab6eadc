package integration_test

import (
	"compress/gzip"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

var everyMon = flag.Bool("mon.all", false, "have TestConvertedMonSamples run every sample, not one alone")

// monSamples are the configurations in Debian's package mon. Plans are those of the
// services that have a monitor and an interval.
var monSamples = map[string]struct {
	file     string
	interval string
	services string // group-service, without those that mon never runs
}{
	"very-simple.cf": {"usr/share/doc/mon/examples/very-simple.cf", "2s", "servers-ping servers-telnet"},
	"mon.cf":         {"etc/mon/mon.cf", "2s", "localhost-ping localhost-http localhost-smtp"},
	// It has so many programs that it needs time.
	"example.cf": {"usr/share/doc/mon/examples/example.cf.gz", "9s", `serversbd1-ping serversbd1-telnet serversbd2-ping serversbd2-telnet
		mailhost-telnet mailhost-smtp mailhost-imap mailhost-pop wwwservers-ping wwwservers-http routers-ping hubs-ping netapps-freespace
		workstations-ping news-ping news-nntp printers-ping printers-hpnp ftp-ftp dialin-555-1212 dialin-555-1213`},
}

// What differs between a sample and what the tests run: folders, times of minutes, and the
// days, which the test cannot wait for.
var (
	monFolders  = regexp.MustCompile(`(?m)^(?:cfbasedir|alertdir|mondir|logdir|statedir|historicfile|authfile|authtype|serverbind|trapbind|randstart)\s*=.*$`)
	monInterval = regexp.MustCompile(`(?m)^(\s*interval\s+)\d+m`)
	monPrograms = regexp.MustCompile(`(?m)^\s*(monitor|alert|upalert)\s+(\S+)`)
	monOfficial = regexp.MustCompile(`wd \{Mon-Fri\}(?: hr \{7am-10pm\})?`)
)

// readMonSample returns the text of a sample, unpacked.
func readMonSample(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(filepath.Join(tools.Cache(), "root", file))
	if err != nil {
		tools.Without(t, "netns", err)
	}
	defer f.Close()
	var from io.Reader = f
	if strings.HasSuffix(file, ".gz") {
		if from, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	text, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sample returns a sample for the tree, with a recording program for each monitor and
// alert that it names.
func (m monTree) sample(t *testing.T, text, interval string) string {
	t.Helper()
	for _, named := range monPrograms.FindAllStringSubmatch(text, -1) {
		program := map[bool]string{true: "test.monitor", false: "test.alert"}[named[1] == "monitor"]
		if err := os.Symlink(program, filepath.Join(m.dir, "bin", named[2])); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	head := strings.ReplaceAll("basedir = DIR\ncfbasedir = DIR\nmondir = bin\nalertdir = bin\nstatedir = state\nlogdir = log\n"+
		"authfile = DIR/auth.cf\npidfile = DIR/pid\nserverbind = 127.0.0.1\ntrapbind = 127.0.0.1\n", "DIR", m.dir)
	never := time.Now().AddDate(0, 0, 2).Format("Mon") // not today, nor tomorrow, if midnight comes
	text = monOfficial.ReplaceAllString(strings.ReplaceAll(text, "{Sat-Sun}", "{"+never+"}"), "wd {Sun-Sat}")
	return head + monInterval.ReplaceAllString(monFolders.ReplaceAllString(text, ""), "${1}"+interval)
}

// With each of Debian's samples, mon and holdfast call the same monitors and alerts at the
// same runs.
func TestConvertedMonSamples(t *testing.T) {
	t.Parallel()
	for name, sample := range monSamples {
		if name != "mon.cf" && !*everyMon {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plans := map[string]string{}
			for _, service := range strings.Fields(sample.services) {
				plans[service] = "- - - w w -"
				if strings.HasSuffix(service, "-ping") { // telnet depends on it, and fails when it is well again
					plans[service] = "w - - - - -"
				}
				if service == "routers-ping" { // so do other pings, which run at the same time
					plans[service] = "- - - - - -"
				}
			}
			l := lab.New(t)
			theirs, ours := newMonTree(t, l, "theirs", plans), newMonTree(t, l, "ours", plans)
			text := readMonSample(t, sample.file)
			startMons(t, l.Host("mon"), l.WriteFile("mon.cf", theirs.sample(t, text, sample.interval)), l.WriteFile("ours.cf", ours.sample(t, text, sample.interval)))
			if _, alerts := compareMons(t, theirs, ours); len(alerts) == 0 {
				t.Error("mon has called no alert")
			}
		})
	}
}
