package ipvs_test

import (
	"fmt"
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
// fallbacks with and without a method, quiescent and not, persistence, marks, IPv6, what
// one server is asked, and checks of several types.
const ldirectordCF = `checktimeout=2
negotiatetimeout=2
checkinterval=2
autoreload=no
logfile="DIR/ldirectord.log"
quiescent=no
fallback=10.0.0.2:8080

virtual=10.0.0.100:80
	real=192.168.0.11:80 masq 5
	real=192.168.0.12:80 masq 3 "index.html", "rs2"
	service=http
	scheduler=wrr
	persistent=300
	netmask=255.255.255.0
	protocol=tcp
	checktype=negotiate
	request="index.html"
	receive="rs1"
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
virtual=10.0.0.104:80
	real=192.168.0.11:80 masq 1 "index.html", "rs7"
	real=192.168.0.12:80 masq 2
	protocol=tcp
	scheduler=rr
	checktype=external
	checkcommand=DIR/check.sh
virtual=10.0.0.108:80
	real=192.168.0.11:80 masq 6
	quiescent=yes
	protocol=tcp
	scheduler=rr
	checktype=off
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

// The parts of the table that do not follow the web servers, and those that do: with both
// of them, without rs2, and without any.
const (
	ldirectordAlways = `-A -t 10.0.0.100:80 -s wrr -p 300 -M 255.255.255.0
-A -t 10.0.0.101:80 -s wlc
-A -t 10.0.0.102:80 -s rr
-A -t 10.0.0.104:80 -s rr
-a -t 10.0.0.104:80 -r 192.168.0.12:80 -m -w 2
-A -t 10.0.0.108:80 -s rr
-a -t 10.0.0.108:80 -r 192.168.0.11:80 -m -w 0
-a -t 10.0.0.108:80 -r 10.0.0.2:80 -g -w 1
-A -f 7 -s rr
-A -t [2001:db8:a::100]:80 -s wrr
-a -t [2001:db8:a::100]:80 -r [2001:db8:a::2]:80 -g -w 1
`
	ldirectordBoth = `-a -t 10.0.0.100:80 -r 192.168.0.11:80 -m -w 5
-a -t 10.0.0.100:80 -r 192.168.0.12:80 -m -w 3
-a -t 10.0.0.101:80 -r 192.168.0.11:80 -g -w 2
-a -t 10.0.0.101:80 -r 192.168.0.12:80 -g -w 1
-a -t 10.0.0.102:80 -r 192.168.0.11:80 -i -w 7 --tun-type ipip
-a -t 10.0.0.102:80 -r 192.168.0.12:80 -i -w 7 --tun-type ipip
-a -f 7 -r 192.168.0.12:0 -g -w 4
`
	ldirectordOne = `-a -t 10.0.0.100:80 -r 192.168.0.11:80 -m -w 5
-a -t 10.0.0.101:80 -r 192.168.0.11:80 -g -w 2
-a -t 10.0.0.101:80 -r 192.168.0.12:80 -g -w 0
-a -t 10.0.0.102:80 -r 192.168.0.11:80 -i -w 7 --tun-type ipip
`
	ldirectordNone = `-a -t 10.0.0.100:80 -r 10.0.0.2:80 -g -w 1
-a -t 10.0.0.101:80 -r 192.168.0.11:80 -g -w 0
-a -t 10.0.0.101:80 -r 192.168.0.12:80 -g -w 0
-a -t 10.0.0.101:80 -r 10.0.0.2:80 -g -w 1
-a -t 10.0.0.102:80 -r 10.0.0.3:80 -m -w 1
`
)

// ldirectord starts Debian's on a host, with the folders of the test in place of the
// system's.
func ldirectord(t *testing.T, p *lab.Pair, host *lab.Host, cf string) {
	t.Helper()
	root := filepath.Join(tools.Cache(), "root")
	text, err := os.ReadFile(filepath.Join(root, "usr/sbin/ldirectord"))
	if err != nil {
		tools.Without(t, "ipvs", err)
	}
	ipvsadm := filepath.Join(root, "usr/sbin/ipvsadm") // it is called a hundred times: without its wrapper
	if _, err := os.Stat(ipvsadm); err != nil {
		tools.Without(t, "ipvs", err)
	}
	program := p.WriteFile("ldirectord.pl", strings.NewReplacer(`"/sbin/ipvsadm"`, `"`+ipvsadm+`"`,
		`"/var/run/ldirectord"`, `"`+filepath.Join(p.Dir(), "ldirectord")+`"`).Replace(string(text)))
	libraries, err := filepath.Glob(filepath.Join(root, "usr/lib/*/perl5/*"))
	if err != nil {
		t.Fatal(err)
	}
	shared, err := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-gnu"))
	if err != nil {
		t.Fatal(err)
	}
	host.Start("/usr/bin/env", "LD_LIBRARY_PATH="+strings.Join(shared, ":"),
		"PERL5LIB="+strings.Join(append(libraries, filepath.Join(root, "usr/share/perl5")), ":"), "perl", program, "-d", cf, "start")
}

// The tables of ldirectord and of holdfast with the converted file are the same at the
// start, after a server died, after all died, and after they are back. The two run side by
// side and ask the same servers.
func TestConvertedLdirectordTableIsTheSame(t *testing.T) {
	p := lab.NewPair(t, 2)
	theirs, ours := p.Directors[0], p.Directors[1]
	if err := os.Chmod(p.WriteFile("check.sh", "#!/bin/sh\n[ \"$1 $2 $3 $4\" = \"10.0.0.104 80 192.168.0.12 80\" ]\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cf := p.WriteFile("ldirectord.cf", strings.ReplaceAll(ldirectordCF, "DIR", p.Dir()))
	daemon := ours.NewDaemon("")
	toml, report, _ := daemon.CLI("convert", cf)
	daemon.Configure(toml)

	web1, web2 := p.Realservers[0].ServeHTTP(":80"), p.Realservers[1].ServeHTTP(":80")
	ldirectord(t, p, theirs, cf)
	daemon.Restart()
	for _, step := range []struct {
		what, table string
		then        func()
	}{
		{"both servers are well", ldirectordBoth, func() { web2.Close() }},
		{"rs2 is dead", ldirectordOne, func() { web1.Close() }},
		{"both are dead", ldirectordNone, func() { p.Realservers[0].ServeHTTP(":80"); p.Realservers[1].ServeHTTP(":80") }},
		{"both are back", ldirectordBoth, func() {}},
	} {
		want := sorted(ldirectordAlways + step.table)
		for who, host := range map[string]*lab.Host{"ldirectord": theirs, "holdfast": ours} {
			lab.Wait(t, 60*time.Second, "the table of "+who+" when "+step.what, func() (string, bool) {
				diff := cmp.Diff(want, sorted(host.Run("ipvsadm", "-Sn")))
				return diff, diff == ""
			})
		}
		step.then()
	}
	if status := daemon.Stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if t.Failed() {
		t.Logf("the report:\n%s", report)
	}
}

// With the example of Debian's package, which has realservers of DR and a fallback, both
// have the same tables too: with all servers, without one, and with none.
func TestConvertedLdirectordExample(t *testing.T) {
	p := lab.NewPair(t, 2)
	example, err := os.ReadFile(filepath.Join(tools.Cache(), "root/usr/share/doc/ldirectord/examples/ldirectord.cf"))
	if err != nil {
		tools.Without(t, "ipvs", err)
	}
	servers := []string{"192.168.6.2", "192.168.6.3", "192.168.6.6"}
	webs := map[string][]*lab.Web{}
	for _, host := range p.Directors {
		for _, server := range servers {
			host.Address("lo", server+"/32")
			web := host.ServeHTTP(server + ":80")
			web.Name = "Test Page"
			webs[server] = append(webs[server], web)
		}
	}
	cf := p.WriteFile("ldirectord.cf", strings.Replace(string(example), "quiescent=no", "quiescent=no\nlogfile=\""+p.Dir()+"/ldirectord.log\"", 1))
	daemon := p.Directors[1].NewDaemon("")
	toml, report, err := daemon.CLI("convert", "--from", "ldirectord", cf)
	if err != nil {
		t.Fatalf("convert: %v\n%s", err, report)
	}
	daemon.Configure(toml)
	ldirectord(t, p, p.Directors[0], cf)
	daemon.Restart()
	for _, dead := range []int{0, 1, 3} {
		want := "-A -t 192.168.6.240:80 -s rr\n"
		if dead == len(servers) {
			want += "-a -t 192.168.6.240:80 -r 127.0.0.1:80 -g -w 1\n"
		}
		for i, server := range servers {
			if i >= dead {
				want += "-a -t 192.168.6.240:80 -r " + server + ":80 -g -w 1\n"
				continue
			}
			for _, web := range webs[server] {
				web.Close()
			}
		}
		for who, host := range map[string]*lab.Host{"ldirectord": p.Directors[0], "holdfast": p.Directors[1]} {
			lab.Wait(t, 30*time.Second, fmt.Sprintf("the table of %s with %d dead servers", who, dead), func() (string, bool) {
				diff := cmp.Diff(sorted(want), sorted(host.Run("ipvsadm", "-Sn")))
				return diff, diff == ""
			})
		}
	}
}
