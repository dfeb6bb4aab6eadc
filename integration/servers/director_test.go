package servers_test

import (
	"fmt"
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

// directorConfig is the configuration of the daemon, after the services and alerts below.
// ADDRESS is the machine.
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
`

// directorServices are the services of the daemon, each with the nginx of the machine as
// its server: their names and ports, the keys of their checks, and further ones.
var directorServices = []struct {
	name   string
	port   int
	check  string
	more   string
	weight int // of the server
}{
	{"web", 80, `type = "http", path = "/flag", interval = "200ms", timeout = "200ms", fall = 3`,
		`notify = { up = "DIR/note server", down = "DIR/note server", quorum_up = "DIR/note service", quorum_down = "DIR/note service",` +
			` fallback = "DIR/note fallback", down_at_stop = true }`, 1},
	{"gate", 81, `type = "http", path = "/old"`, "", 1},
	{"misc", 82, `type = "external", style = "misc", weight = "exit", command = { command = ["DIR/misc"], user = "nobody" }, ` + often, "", 1},
	{"plain", 83, `type = "external", command = ["DIR/alone"], environment = ["WORD=a b"], fall = 1, interval = "2s", timeout = "2s"`, "", 1},
	{"twin", 84, `type = "external", command = ["DIR/alone"], environment = ["WORD=a b"], fall = 1, interval = "2s", timeout = "2s"`, "", 1},
	{"file", 85, `type = "file", file = "DIR/load", weight = 2, reverse = true`, "", 20},
	{"script", 86, `type = "external", style = "ldirectord", command = ["DIR/ldirectord"], ` + often, "", 1},
	{"perl", 87, `type = "external", style = "ldirectord-perl", command = ["DIR/ldirectord.pl"], ` + often, "", 1},
	{"hopeful", 88, neverAnswered, "starts_up = true", 1},
	{"doubtful", 89, neverAnswered, "", 1},
	{"slow", 90, `type = "external", style = "misc", command = ["/bin/sleep", "60"], fall = 1, interval = "5s", timeout = "200ms"`, "", 1},
}

const (
	often         = `interval = "2s", timeout = "2s", retry_interval = "100ms"`
	neverAnswered = `type = "tcp", port = 25, expect = "never", interval = "1h", timeout = "1h"`
)

// directorAlerts are the rules for alerts, by name.
var directorAlerts = [][2]string{
	{"all", "every = \"300ms\"\nlimit = 2\nafter = 2\nmail_to = [\"bob@server.example\"]\nwebhooks = [\"hook\"]\ncommand = \"DIR/note alert\""},
	{"once", "recovery = false\nmail_to = [\"cat@server.example\"]\ncommand = [\"FILEALERT\", \"-d\", \"DIR\", \"filealert\"]\nstyle = \"mon\""},
	{"closed", "period = \"wd {CLOSED}\"\n" + toDan},
	{"held", "hold = \"1h\"\n" + toDan},
	{"silenced", "unless = [\"gate\"]\n" + toDan},
}

const toDan = "mail_to = [\"dan@server.example\"]"

// directorText is the whole configuration of the daemon.
func directorText() string {
	var b strings.Builder
	b.WriteString(directorConfig)
	for _, s := range directorServices {
		fmt.Fprintf(&b, "[[service]]\nname = %q\naddress = \"203.0.113.1:%d\"\ncheck = { %s }\n%s\n", s.name, s.port, s.check, s.more)
		fmt.Fprintf(&b, "[[service.server]]\nname = \"server\"\naddress = \"ADDRESS:80\"\nweight = %d\n", s.weight)
	}
	for _, a := range directorAlerts {
		fmt.Fprintf(&b, "[[alert]]\nname = %q\nsubjects = [\"web\"]\nevents = [\"server\"]\ngather = \"100ms\"\n%s\n", a[0], a[1])
	}
	return b.String()
}

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
	d.start(strings.NewReplacer("CLOSED", closed, "FILEALERT", filepath.Join(tools.Cache(), "root/usr/lib/mon/alert.d/file.alert")).Replace(m.addressed(directorText())))
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
