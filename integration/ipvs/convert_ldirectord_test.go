package ipvs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

// ldirectordCF has what differs between the tables of ldirectord: methods, weights,
// fallbacks with and without a method, quiescent and not, persistence, marks, IPv6 and
// checks of several kinds.
const ldirectordCF = `checktimeout=2
negotiatetimeout=2
checkinterval=2
autoreload=no
logfile="LOG"
quiescent=no
fallback=10.0.0.2:8080

virtual=10.0.0.100:80
	real=192.168.0.11:80 masq 5
	real=192.168.0.12:80 masq 3
	service=http
	scheduler=wrr
	persistent=300
	netmask=255.255.255.0
	protocol=tcp
	checktype=negotiate
	request="index.html"
	receive="rs"
virtual=10.0.0.101:80
	real=192.168.0.11:80 gate 2
	real=192.168.0.12:80 gate
	quiescent=yes
	scheduler=wlc
	protocol=tcp
	checktype=connect
virtual=10.0.0.102:80
	real=192.168.0.11->192.168.0.12:80 ipip 7
	fallback=10.0.0.3:80 masq
	scheduler=rr
	protocol=tcp
	checktype=2
virtual=10.0.0.103:8080
	real=192.168.0.12:80 masq
	protocol=tcp
	scheduler=sh
virtual=7
	real=192.168.0.12 gate 4
	checktype=connect
	checkport=80
	protocol=fwm
	scheduler=rr
virtual6=[2001:db8:a::100]:80
	real6=[2001:db8:b::12]:80 masq
	fallback6=[2001:db8:a::2]:80
	checktype=off
	protocol=tcp
`

// ldirectord is Debian's, with the folders of the test in place of the system's.
func ldirectord(t *testing.T, l *lab.Lab) (program, library string) {
	t.Helper()
	root := filepath.Join(tools.Cache(), "root")
	text, err := os.ReadFile(filepath.Join(root, "usr/sbin/ldirectord"))
	if err != nil {
		tools.Without(t, "ldirectord", err)
	}
	ipvsadm, err := tools.Find("ipvsadm")
	if err != nil {
		tools.Without(t, "ipvsadm", err)
	}
	source := strings.NewReplacer(`"/sbin/ipvsadm"`, `"`+ipvsadm+`"`, `"/var/run/ldirectord"`, `"`+filepath.Join(l.Dir(), "ldirectord")+`"`).Replace(string(text))
	libraries, err := filepath.Glob(filepath.Join(root, "usr/lib/*/perl5/*"))
	if err != nil {
		t.Fatal(err)
	}
	return l.WriteFile("ldirectord.pl", source), strings.Join(append(libraries, filepath.Join(root, "usr/share/perl5")), ":")
}

// The tables of ldirectord and of holdfast with the converted file are the same at the
// start, after a server died, after all died, and after they are back.
func TestConvertedLdirectordTableIsTheSame(t *testing.T) {
	p := lab.NewPair(t, 1)
	host := p.Directors[0]
	cf := p.WriteFile("ldirectord.cf", strings.ReplaceAll(ldirectordCF, "LOG", filepath.Join(p.Dir(), "ldirectord.log")))

	// The two run one after the other in the same network, through the same steps.
	var webs [2]*lab.Web
	steps := []struct {
		what string
		do   func()
	}{
		{"both servers are well", func() {
			for i, rs := range p.Realservers {
				webs[i] = rs.ServeHTTP(":80")
			}
		}},
		{"rs2 is dead", func() { webs[1].Close() }},
		{"both are dead", func() { webs[0].Close() }},
		{"both are back", func() {
			for i, rs := range p.Realservers {
				webs[i] = rs.ServeHTTP(":80")
			}
		}},
	}
	var want []string
	table := func() string { return host.Run("ipvsadm", "-Sn") }

	program, library := ldirectord(t, p.Lab)
	steps[0].do()
	theirs := host.Start("/usr/bin/env", "PERL5LIB="+library, "perl", program, "-d", cf, "start")
	for i, step := range steps {
		if i > 0 {
			step.do()
		}
		want = append(want, settled(t, step.what, table, want))
	}
	theirs.Stop()
	for _, w := range webs {
		w.Close()
	}
	host.Run("ipvsadm", "-C")

	daemon := host.NewDaemon("")
	toml, report, err := daemon.CLI("convert", cf)
	if err != nil && !strings.Contains(report, "not translated") {
		t.Fatalf("convert: %v\n%s", err, report)
	}
	daemon.Configure(toml)
	for i, step := range steps {
		step.do()
		if i == 0 {
			daemon.Restart()
		}
		lab.Wait(t, 40*time.Second, "the table of ldirectord when "+step.what, func() (string, bool) {
			diff := cmp.Diff(sorted(want[i]), sorted(table()))
			return diff, diff == ""
		})
	}
	if status := daemon.Stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

// settled returns the table once it has another content than the last of before, and
// has not changed for more than a round of ldirectord's checks.
func settled(t *testing.T, what string, table func() string, before []string) string {
	t.Helper()
	const round = 5 * time.Second
	last, since := "", time.Now()
	lab.Wait(t, 60*time.Second, "the table of ldirectord when "+what, func() (string, bool) {
		now := table()
		if now != last {
			last, since = now, time.Now()
		}
		changed := len(before) == 0 && strings.Count(now, "-A ") == 6 || len(before) > 0 && now != before[len(before)-1]
		return now, changed && time.Since(since) > round
	})
	return last
}
