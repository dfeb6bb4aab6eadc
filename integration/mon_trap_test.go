package integration_test

import (
	"fmt"
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

// trapHash is what crypt(3) makes of "word".
const trapHash = "$1$abcdefgh$mzswo1dQAnhU66ARk1Ljd/"

// trapFiles has an alert that records how it is called, by the number of its call, and
// a service for everything that traps can do.
func trapFiles(t *testing.T, l *lab.Lab, name string) (dir, config, auth string) {
	t.Helper()
	dir = filepath.Join(l.Dir(), name)
	for _, folder := range []string{"bin", "alerts", "log", "state"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write := func(file, text string, mode os.FileMode) string {
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("bin/test.alert", `#!/bin/sh
cd '`+dir+`' || exit 9
{ for a; do printf '<%s>' "$a"; done; echo; env | grep -E '^MON_' | sort; echo stdin:; cat; } >alerts/.$$
n=1; while ! ln alerts/.$$ alerts/$4-$2.$n 2>/dev/null; do n=$((n + 1)); done
rm alerts/.$$
`, 0o755)
	auth = write("auth.cf", "command section\nlist: all\n\ntrap section\n127.0.0.1 lvs1 "+trapHash+"\n", 0o600)
	config = write("mon.cf", fmt.Sprintf(`basedir = %[1]s
cfbasedir = %[1]s
mondir = bin
alertdir = bin
statedir = state
logdir = log
authfile = %[2]s
pidfile = %[1]s/pid
serverbind = 127.0.0.1
trapbind = 127.0.0.1

hostgroup web www1 www2

watch web
 service http
  description told by others
  period
   alert test.alert x
   upalert test.alert up
   alertevery 1h
 service silent
  traptimeout 3s
  period
   alert test.alert x
   upalert test.alert x
   numalerts 1
 service short
  trapduration 2s
  period
   alert test.alert x
   upalert test.alert x

watch default
 service default
  period
   alert test.alert x
   upalert test.alert x
`, dir, auth), 0o600)
	return dir, config, auth
}

var (
	trapTime = regexp.MustCompile(`\b1[0-9]{9}\b|\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4}`)
	// shortIsDown matches a server of web:short that is down in the list of checks.
	shortIsDown = regexp.MustCompile(`web:short/\S+ .*\bdown\b`)
	mailboxed   = regexp.MustCompile(`\.\d+$`)
)

// trapAlerts returns the alerts that were called, in the order of their names.
func trapAlerts(t *testing.T, dir string) []string {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(dir, "alerts"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range files {
		if !mailboxed.MatchString(f.Name()) || strings.HasPrefix(f.Name(), ".") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, "alerts", f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f.Name()+" "+trapTime.ReplaceAllString(strings.ReplaceAll(string(text), dir, "DIR"), "TIME"))
	}
	slices.Sort(all)
	return all
}

// mon and holdfast with the converted files get the same traps, from mon's own programs,
// and call the same alerts in the same way.
func TestTrapsOfMon(t *testing.T) {
	t.Parallel()
	root := filepath.Join(tools.Cache(), "root")
	mon := filepath.Join(root, "usr/sbin/mon")
	if _, err := os.Stat(mon); err != nil {
		tools.Without(t, "netns", err)
	}
	perl := []string{"PERL5LIB=" + filepath.Join(root, "usr/share/perl5"), "perl"}
	l := lab.New(t)
	theirHost, ourHost := l.Host("mon"), l.Host("holdfast")
	theirs, config, _ := trapFiles(t, l, "theirs")
	theirHost.Start("/usr/bin/env", append(slices.Clone(perl), mon, "-c", config)...)
	ours, config, auth := trapFiles(t, l, "ours")
	daemon := ourHost.NewDaemon("")
	converted := filepath.Join(ours, "holdfast.toml")
	if _, report, err := daemon.CLI("convert", "-o", converted, config, auth); err != nil {
		t.Fatalf("convert: %v\n%s", err, report)
	}
	daemon.ConfigureFile(converted)
	daemon.Restart()
	lab.Wait(t, 20*time.Second, "mon's socket", func() (string, bool) {
		sockets, _ := theirHost.Try("/usr/bin/env", "ss", "-lun")
		return sockets, strings.Contains(sockets, ":2583")
	})

	// send has mon's own sender tell both of a result.
	send := func(user, password, service, status, summary string) {
		for _, h := range []*lab.Host{theirHost, ourHost} {
			group, name, _ := strings.Cut(service, ":")
			h.Run("/bin/sh", "-c", fmt.Sprintf("printf '%%s\\nmore \"of\" it\\n' '%s' | env MON_GROUP=%s MON_SERVICE=%s MON_RETVAL=%s MON_OPSTATUS=0 %s %s -U %s -P '%s' 127.0.0.1",
				summary, group, name, status, strings.Join(perl, " "), filepath.Join(root, "usr/lib/mon/alert.d/trap.alert"), user, password))
		}
	}
	// both waits until both have called so many alerts.
	both := func(service string, n int) {
		t.Helper()
		lab.Wait(t, 20*time.Second, fmt.Sprintf("alert %d of %s", n, service), func() (string, bool) {
			seen := ""
			for _, dir := range []string{theirs, ours} {
				files, _ := filepath.Glob(filepath.Join(dir, "alerts", service+".*"))
				seen += fmt.Sprint(len(files), " ")
				if len(files) < n {
					return seen, false
				}
			}
			return seen, true
		})
	}
	send("lvs1", "wrong", "web:http", "1", "www9 by a stranger")
	send("other", "word", "web:http", "1", "www9 by a stranger")
	send("lvs1", "word", "web:http", "3", "www1")
	both("web-http", 1)
	send("lvs1", "word", "web:http", "3", "www1")
	send("lvs1", "word", "web:http", "0", "well")
	both("web-http", 2)
	send("lvs1", "word", "web:short", "1", "www2 www1")
	both("web-short", 1)
	send("lvs1", "word", "nowhere:ping", "2", "who knows")
	both("default-default", 1)
	both("web-silent", 1)
	send("lvs1", "word", "web:silent", "0", "here I am")
	both("web-silent", 2)
	lab.Wait(t, 10*time.Second, "the end of the trap's time", func() (string, bool) {
		status, _, _ := daemon.CLI("status", "checks")
		return status, strings.Contains(status, "web:short/") && !shortIsDown.MatchString(status)
	})
	lab.Wait(t, 10*time.Second, "the end of the trap's time in mon", func() (string, bool) {
		well, _ := theirHost.Try("/usr/bin/env", append(slices.Clone(perl), filepath.Join(root, "usr/bin/moncmd"), "-s", "127.0.0.1", "list", "successes")...)
		return well, strings.Contains(well, "service=short ")
	})
	send("lvs1", "word", "web:short", "0", "well") // nobody is told: it was well already
	both("web-silent", 3)

	if diff := cmp.Diff(trapAlerts(t, theirs), trapAlerts(t, ours)); diff != "" {
		t.Errorf("alerts (-mon +holdfast):\n%s", diff)
	}
	status, _, _ := daemon.CLI("status")
	if !strings.Contains(status, "password 1, user 1") {
		t.Errorf("the traps of strangers are not in the status:\n%s", status)
	}
}
