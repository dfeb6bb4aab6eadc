package servers_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

// mailboxes are those of Postfix on a machine of this test.
const mailboxes = `
mail_spool_directory = /tmp/mail
`

// directorConfig is the configuration of the daemon: one web server, checks by programs and a
// file, and rules for alerts that differ in one thing each. ADDRESS is the machine.
const directorConfig = `max_check_programs = 1
check_spread = "0s"
[notify.mail]
server = "ADDRESS:25"
from = "lvs1@server.example"
to = ["ann@server.example"]
events = ["service"]
gather = "100ms"
[[notify.webhook]]
name = "hook"
url = "http://ADDRESS/hook"
events = ["director"]

[[service]]
name = "web"
address = "203.0.113.1:80"
[service.check]
type = "http"
path = "/flag"
interval = "200ms"
timeout = "200ms"
fall = 3
[service.notify]
up = "DIR/note server"
down = "DIR/note server"
quorum_up = "DIR/note service"
quorum_down = "DIR/note service"
fallback = "DIR/note fallback"
down_at_stop = true
[[service.server]]
name = "server"
address = "ADDRESS:80"

[[service]]
name = "gate"
address = "203.0.113.1:81"
[service.check]
type = "http"
path = "/old"
[[service.server]]
name = "server"
address = "ADDRESS:80"

[[service]]
name = "misc"
address = "203.0.113.1:82"
[service.check]
type = "external"
style = "misc"
weight = "exit"
command = { command = ["DIR/misc"], user = "nobody" }
interval = "2s"
timeout = "2s"
retry_interval = "100ms"
[[service.server]]
address = "ADDRESS:80"

[[service]]
name = "plain"
address = "203.0.113.1:83"
[service.check]
type = "external"
command = ["DIR/alone"]
interval = "2s"
timeout = "2s"
fall = 1
environment = ["WORD=a b"]
[[service.server]]
address = "ADDRESS:80"

[[service]]
name = "twin"
address = "203.0.113.1:84"
[service.check]
type = "external"
command = ["DIR/alone"]
interval = "2s"
timeout = "2s"
fall = 1
environment = ["WORD=a b"]
[[service.server]]
address = "ADDRESS:80"

[[service]]
name = "hopeful"
address = "203.0.113.1:88"
starts_up = true
[service.check]
type = "tcp"
port = 25
expect = "never"
interval = "1h"
timeout = "1h"
[[service.server]]
address = "ADDRESS:80"

[[service]]
name = "doubtful"
address = "203.0.113.1:89"
[service.check]
type = "tcp"
port = 25
expect = "never"
interval = "1h"
timeout = "1h"
[[service.server]]
address = "ADDRESS:80"

[[service]]
name = "slow"
address = "203.0.113.1:90"
[service.check]
type = "external"
style = "misc"
command = ["/bin/sleep", "60"]
interval = "5s"
timeout = "200ms"
fall = 1
[[service.server]]
address = "ADDRESS:80"

[[service]]
name = "script"
address = "203.0.113.1:86"
[service.check]
type = "external"
style = "ldirectord"
command = ["DIR/ldirectord"]
interval = "2s"
timeout = "2s"
retry_interval = "100ms"
[[service.server]]
address = "ADDRESS:80"

[[service]]
name = "perl"
address = "203.0.113.1:87"
[service.check]
type = "external"
style = "ldirectord-perl"
command = ["DIR/ldirectord.pl"]
interval = "2s"
timeout = "2s"
retry_interval = "100ms"
[[service.server]]
address = "ADDRESS:80"

[[service]]
name = "file"
address = "203.0.113.1:85"
[service.check]
type = "file"
file = "DIR/load"
weight = 2
reverse = true
[[service.server]]
address = "ADDRESS:80"
weight = 20

[[alert]]
name = "all"
subjects = ["web"]
events = ["server"]
gather = "100ms"
every = "300ms"
limit = 2
after = 2
mail_to = ["bob@server.example"]
webhooks = ["hook"]
command = "DIR/note alert"
[[alert]]
name = "once"
subjects = ["web"]
events = ["server"]
gather = "100ms"
recovery = false
mail_to = ["cat@server.example"]
command = ["FILEALERT", "-d", "DIR", "filealert"]
style = "mon"
[[alert]]
name = "closed"
subjects = ["web"]
events = ["server"]
gather = "100ms"
period = "wd {CLOSED}"
mail_to = ["dan@server.example"]
[[alert]]
name = "held"
subjects = ["web"]
events = ["server"]
gather = "100ms"
hold = "1h"
mail_to = ["dan@server.example"]
[[alert]]
name = "silenced"
subjects = ["web"]
events = ["server"]
gather = "100ms"
unless = ["gate"]
mail_to = ["dan@server.example"]
`

// The daemon checks nginx, tells what happens by Postfix, nginx, programs and an alert
// of mon, and does what the other programs' words for it say.
func TestDirector(t *testing.T) {
	m := newMachine(t)
	m.installNginx()
	m.users("postfix", "postdrop", "ann", "bob", "cat", "dan")
	m.file("/etc/postfix/main.cf", postfixMain+mailboxes, 0o644)
	m.file("/etc/postfix/master.cf", postfixMaster, 0o644)
	m.script("mkdir -m 1777 /tmp/mail", startNginx+" &", startPostfix)
	m.listens(80, 25)

	d := m.newDaemon()
	d.write("note", "#!/bin/sh\necho \"$*\" >>DIR/notes\n", 0o755)
	d.write("load", "3\n", 0o644)
	d.write("lock", "", 0o644)
	// Whoever else runs meanwhile has the lock.
	const alone = "exec 9<DIR/lock\nflock -n 9 || : >DIR/overlap\nsleep 0.05\n"
	d.write("alone", "#!/bin/sh\n"+alone+"test \"$WORD\" = 'a b' && test $HOLDFAST_ADDRESS = "+m.address.String()+"\n", 0o755)
	// It asks nginx for the weight, and answers as scripts of MISC_CHECK do.
	d.write("misc", `#!/bin/bash
[ $(id -un) = nobody ] || exit 1
exec 3<>/dev/tcp/`+m.address.String()+`/80
printf 'GET /weight HTTP/1.0\r\n\r\n' >&3
exit $(($(sed -n 's/^X-Weight: \([0-9]*\).*/\1/p' <&3) + 2))
`, 0o755)
	d.write("ldirectord", "#!/bin/bash\n"+alone+"[ \"$1 $2\" = '203.0.113.1 86' ] && exec 3<>/dev/tcp/$3/$4\n", 0o755)
	d.write("ldirectord.pl", "use IO::Socket; exit !IO::Socket::INET->new(\"$ARGV[2]:$ARGV[3]\");\n", 0o755)
	closed := []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}[(time.Now().Weekday()+3)%7]
	d.start(strings.NewReplacer("CLOSED", closed, "FILEALERT", filepath.Join(tools.Cache(), "root/usr/lib/mon/alert.d/file.alert")).Replace(m.addressed(directorConfig)))
	for service, weight := range map[string]int{"web": 1, "misc": 7, "plain": 1, "twin": 1, "script": 1, "perl": 1, "file": 14} {
		d.await(service, served{"up", weight})
	}

	d.await("gate", served{"down", 1})
	d.await("slow", served{"down", 1})

	if err := os.Rename(m.inside("/srv/flag"), m.inside("/srv/flag.away")); err != nil {
		t.Fatal(err)
	}
	d.await("web", served{"down", 1})
	mails := func(of, subject string, n int) {
		t.Helper()
		lab.Wait(t, 20*time.Second, "mail to "+of+": "+subject, func() (string, bool) {
			text := m.mail(of)
			return text, strings.Count(text, "\nSubject: "+subject) == n
		})
	}
	const down, up = "lvs1: alert all: web/server is DOWN", "lvs1: alert all: web/server is well again"
	mails("bob", down, 2)
	mails("cat", strings.Replace(down, "all", "once", 1), 1)
	lab.Wait(t, 20*time.Second, "the alert of mon", func() (string, bool) {
		text := d.read("filealert")
		return text, strings.HasPrefix(text, "failure web server ")
	})
	if err := os.Rename(m.inside("/srv/flag.away"), m.inside("/srv/flag")); err != nil {
		t.Fatal(err)
	}
	mails("bob", up, 1)
	mails("bob", down, 2)
	lab.Wait(t, 20*time.Second, "three posts to nginx", func() (string, bool) { return m.log(), m.asked("/hook") >= 3 })
	mails("ann", "lvs1: service web: UP -> DOWN", 1)
	if text := m.mail("ann") + m.mail("bob"); !strings.Contains(text, "\nFrom: lvs1@server.example") {
		t.Errorf("who sent the mail:\n%s", text)
	}
	if text := m.mail("cat"); strings.Contains(text, "well again") || strings.Count(text, "\nSubject:") != 1 {
		t.Errorf("a rule without recoveries says:\n%s", text)
	}
	if text := m.mail("dan"); text != "" {
		t.Errorf("a rule that should be silent says:\n%s", text)
	}
	if _, err := os.Stat(d.path("overlap")); err == nil {
		t.Error("two programs ran at once")
	}
	d.await("web", served{"up", 1})
	const added = "ipvsadm -a -t 203.0.113.1:"
	if table := d.read("ipvs"); !strings.Contains(table, added+"88 ") || strings.Contains(table, added+"89 ") {
		t.Errorf("before its first answer, only the server that starts up is used:\n%s", table)
	}
	d.stop()
	notes := d.read("notes")
	for _, want := range []string{"server SERVER web/server UP 1", "server SERVER web/server DOWN 1", "service SERVICE web UP 1", "service SERVICE web DOWN 0", "fallback start", "fallback stop", "alert ALERT all DOWN 1", "alert ALERT all UP 1"} {
		if !strings.Contains(notes, want+"\n") {
			t.Errorf("no program was called with %q", want)
		}
	}
	if n := strings.Count(notes, " web/server DOWN"); n != 2 { // and at the stop
		t.Errorf("the program for a dead server was called %d times:\n%s", n, notes)
	}
}

// mail returns the mailbox of a user.
func (m *machine) mail(user string) string {
	text, _ := os.ReadFile(m.inside("/tmp/mail/" + user)) // there is none before the first mail
	return string(text)
}
