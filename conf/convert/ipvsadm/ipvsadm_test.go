package ipvsadm

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/conf"
	"holdfast/conf/convert"
	"holdfast/lvs"
)

// run converts one file, and loads what a user would get.
func run(t *testing.T, text string) (c *conf.Config, toml string, report convert.Report) {
	t.Helper()
	converted := Convert(convert.Input{Files: []convert.File{{Name: "rules", Text: text}}}, &report)
	if converted == nil {
		return nil, "", report
	}
	toml = converted.TOML()
	c, err := conf.Parse("converted.toml", []byte(toml))
	if err != nil {
		t.Fatalf("the result is not valid: %v\n%s", err, toml)
	}
	return c, toml, report
}

// rules returns the table of a configuration as ipvsadm -Sn prints it, sorted.
func rules(c *conf.Config) []string {
	var all []string
	add := func(op lvs.Op) { all = append(all, strings.TrimPrefix(op.String(), "ipvsadm ")) }
	for i := range c.Services {
		v := &c.Services[i]
		add(lvs.Op{Verb: lvs.AddService, Service: v.Service})
		for _, r := range v.Servers {
			add(lvs.Op{Verb: lvs.AddServer, Service: v.Service, Server: r.Server})
		}
	}
	slices.Sort(all)
	return all
}

// defaults matches what ipvsadm -Sn prints although it is the default.
var defaults = regexp.MustCompile(` --tun-type ipip| --tun-nocsum`)

func sortedRules(text string) []string {
	lines := strings.Split(strings.TrimSpace(defaults.ReplaceAllString(text, "")), "\n")
	slices.Sort(lines)
	return lines
}

// saved is what ipvsadm 1.31 prints for one table with everything in it.
const saved = `-A -t 10.0.0.100:80 -s wlc
-a -t 10.0.0.100:80 -r 192.168.0.11:80 -m -w 5
-a -t 10.0.0.100:80 -r 192.168.0.12:8080 -m -w 0
-A -t 10.0.0.100:443 -s wrr -p 300 -M 255.255.255.0
-a -t 10.0.0.100:443 -r 192.168.0.11:443 -g -w 1
-A -t [2001:db8::100]:80 -s mh -b mh-fallback,mh-port
-a -t [2001:db8::100]:80 -r [2001:db8::11]:80 -m -w 1
-A -u 10.0.0.100:53 -s rr -o
-a -u 10.0.0.100:53 -r 192.168.0.11:53 -m -w 1
-A -u 10.0.0.100:5060 -s rr -p 60 --pe sip
-a -u 10.0.0.100:5060 -r 192.168.0.11:5060 -m -w 1
-A --sctp-service 10.0.0.100:9 -s sh -b sh-fallback,sh-port
-a --sctp-service 10.0.0.100:9 -r 192.168.0.11:9 -m -w 1
-A -f 7 -s rr -p 360
-a -f 7 -r 203.0.113.11:0 -i -w 1 --tun-type ipip --tun-nocsum
-a -f 7 -r 203.0.113.12:0 -i -w 1 --tun-type gue --tun-port 5555 --tun-remcsum
-a -f 7 -r 203.0.113.13:0 -i -w 1 --tun-type gre --tun-csum
-A -f 8 -6 -s rr
-a -f 8 -6 -r [2001:db8::11]:0 -g -w 1
`

// The converted configuration brings the same table.
func TestSameTable(t *testing.T) {
	c, toml, report := run(t, saved)
	if report.Untranslated() > 0 || report.Directives != strings.Count(saved, "\n") {
		t.Errorf("report:\n%v", report.String())
	}
	if diff := cmp.Diff(sortedRules(saved), rules(c)); diff != "" {
		t.Errorf("table (-ipvsadm +holdfast):\n%s\n%s", diff, toml)
	}
}

// What is written looks as if a person wrote it.
func TestResult(t *testing.T) {
	_, toml, _ := run(t, "--set 900 120 300\n--start-daemon master --mcast-interface eth1 --syncid 7\n--start-daemon backup --mcast-interface eth1 --syncid 7\n"+
		"-A -t 10.0.0.100:80\n-a -t 10.0.0.100:80 -r 192.168.0.11 -w 5\n-a -t 10.0.0.100:80 -r 192.168.0.12\n")
	want := `[lvs.sync]
interface = "eth1"
id = 7

[lvs.timeouts]
tcp = "15m"
tcpfin = "2m"
udp = "5m"

[[service]]
name = "tcp-10.0.0.100:80"
address = "10.0.0.100:80"
forward = "dr"

[service.check]
type = "none"

[[service.server]]
address = "192.168.0.11:80"
weight = 5

[[service.server]]
address = "192.168.0.12:80"
`
	if diff := cmp.Diff(want, toml); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A script of commands has the effect of its last line.
func TestScript(t *testing.T) {
	c, _, report := run(t, `#!/bin/sh
/sbin/ipvsadm -C
ipvsadm --add-service --tcp-service 10.0.0.1:80 --scheduler=rr   # web
ipvsadm -a -t 10.0.0.1:80 -r 192.168.0.1:80 -m -w1
ipvsadm -a -t 10.0.0.1:80 -r 192.168.0.2:80 -m
ipvsadm -e -t 10.0.0.1:80 -r 192.168.0.2:80 -m -w 9 -x 100 -y 50
ipvsadm -d -t 10.0.0.1:80 -r 192.168.0.1:80
ipvsadm -E -t 10.0.0.1:80 -s wrr -p
ipvsadm -A -u 10.0.0.1:53
ipvsadm -D -u 10.0.0.1:53
ipvsadm -Z
ipvsadm -L -n
`)
	want := []string{"-A -t 10.0.0.1:80 -s wrr -p 360", "-a -t 10.0.0.1:80 -r 192.168.0.2:80 -m -w 9 -x 100 -y 50"}
	if diff := cmp.Diff(want, rules(c)); diff != "" || report.Untranslated() > 0 {
		t.Errorf("(-want +got):\n%s\n%v", diff, report.String())
	}
}

// Every line that is not translated is in the report, and the rest is converted.
func TestFindings(t *testing.T) {
	const ok = "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 192.168.0.1:80 -m\n"
	for line, want := range map[string]string{
		"-A -t 10.0.0.1:80":                             `the service tcp 10.0.0.1:80 exists already, since rules:1: ipvsadm refuses it`,
		"-a -t 10.0.0.1:80 -r 192.168.0.1:80":           `the server 192.168.0.1:80 exists already: ipvsadm refuses it`,
		"-a -t 10.0.0.2:80 -r 192.168.0.1:80":           `there is no service tcp 10.0.0.2:80: ipvsadm refuses the server`,
		"-e -t 10.0.0.1:80 -r 192.168.0.9:80":           `there is no server 192.168.0.9:80: ipvsadm refuses it`,
		"-D -t 10.0.0.2:80":                             `there is no service tcp 10.0.0.2:80: ipvsadm refuses it`,
		"-A -t 10.0.0.2:80":                             `the service tcp 10.0.0.2:80 has no servers: holdfast needs a server or a fallback`,
		"-A -t www:80":                                  "\"www:80\" is not a numeric address with a port: convert the output of `ipvsadm -Sn`, where n is for numbers",
		"-A -t $VIP:80":                                 "\"$VIP:80\" is for a shell: convert the output of `ipvsadm -Sn` instead",
		"-A -t 10.0.0.2:80 -s fast":                     `unknown scheduler "fast"`,
		"-A -t 10.0.0.2:80 -M 255.255.255.0":            `--netmask needs --persistent`,
		"-A -t 10.0.0.2:80 -p 60 -M 255.0.255.0":        `"255.0.255.0" is not a netmask`,
		"-a -t 10.0.0.1:80 -r 192.168.0.2:80 -w -1":     `"-1" is not a number from 0 to 2147483647`,
		"-a -t 10.0.0.1:80 -r 192.168.0.2:80 -w 1e9":    `"1e9" is not a number from 0 to 2147483647`,
		"-a -t 10.0.0.1:80 -r 192.168.0.2:80 -s rr":     `--scheduler does not belong to a server`,
		"-a -t 10.0.0.1:80":                             `-r is required`,
		"-A -s rr":                                      `one of -t, -u, --sctp-service and -f is required`,
		"-A -D -t 10.0.0.1:80":                          `--add-service and --delete-service exclude each other`,
		"-t 10.0.0.1:80":                                `the line does not say what to do, like -A or -a`,
		"-A -t":                                         `--tcp-service takes 1 argument`,
		"-A -t 10.0.0.2:80 --colour":                    `ipvsadm has no option --colour`,
		"-Q":                                            `ipvsadm has no option -Q`,
		"iptables":                                      `"iptables" is not an option of ipvsadm`,
		"--set 1 2":                                     `--set takes 3 arguments`,
		"--start-daemon master":                         `the sync daemon needs --mcast-interface`,
		"--start-daemon slave --mcast-interface eth1":   `--start-daemon takes master or backup, not "slave"`,
		"--start-daemon master --mcast-interface eth/1": `holdfast refuses it: lvs.sync.interface: "eth/1" is not the name of an interface`,
		"-A -f 5 -p 60\n-a -f 5 -r 192.168.0.1:0 -i -w 1 --tun-type gue": `holdfast refuses it: `,
	} {
		c, _, report := run(t, ok+line+"\n")
		if report.Untranslated() != 1 || !strings.Contains(report.String(), "rules:3: not translated: "+want) {
			t.Errorf("%s: want %s, got\n%v", line, want, report.String())
		}
		if c == nil || !slices.Equal(rules(c), []string{"-A -t 10.0.0.1:80 -s rr", "-a -t 10.0.0.1:80 -r 192.168.0.1:80 -m -w 1"}) {
			t.Errorf("%s: the other lines are not converted", line)
		}
	}
	for _, empty := range []string{"", "# nothing\n\n", "-A -t 10.0.0.1:80\n"} {
		if c, _, _ := run(t, empty); c != nil {
			t.Errorf("%q makes a configuration", empty)
		}
	}
}

// Random tables, printed as ipvsadm does, come back from the conversion.
func TestRandomTables(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		text := randomTable(r)
		c, toml, report := run(t, text)
		if report.Untranslated() > 0 {
			t.Fatalf("seed %d:\n%s%v", seed, text, report.String())
		}
		if diff := cmp.Diff(sortedRules(text), rules(c)); diff != "" {
			t.Fatalf("seed %d (-ipvsadm +holdfast):\n%s\n%s", seed, diff, toml)
		}
	}
}

func randomTable(r *rand.Rand) string {
	var b strings.Builder
	for i := range 1 + r.IntN(5) {
		s := lvs.Service{Scheduler: []string{"rr", "wlc", "sh", "sed"}[r.IntN(4)]}
		s.Key = lvs.Key{Protocol: []lvs.Protocol{lvs.TCP, lvs.UDP, lvs.SCTP}[r.IntN(3)], Address: netip.MustParseAddrPort(fmt.Sprintf("10.0.%d.1:80", i))}
		if r.IntN(3) == 0 {
			s.Key = lvs.Key{Mark: uint32(i + 1)}
		}
		if r.IntN(2) == 0 {
			s.Persistence = time.Duration(1+r.IntN(1000)) * time.Second
			s.PersistPrefix = 1 + r.IntN(32)
		}
		s = s.Canonical()
		print := func(op lvs.Op) { b.WriteString(strings.TrimPrefix(op.String(), "ipvsadm ") + "\n") }
		print(lvs.Op{Verb: lvs.AddService, Service: s})
		for j := range 1 + r.IntN(4) {
			v := lvs.Server{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, byte(i), byte(j + 1)}), s.Key.Address.Port())}
			v.Forward = []lvs.Forward{lvs.NAT, lvs.DR, lvs.TUN}[r.IntN(3)]
			v.Weight = r.IntN(100)
			if v.Forward == lvs.TUN && r.IntN(2) == 0 {
				v.Tunnel = lvs.Tunnel{Type: lvs.GUE, Port: 5555, RemoteChecksum: r.IntN(2) == 0}
			}
			if r.IntN(4) == 0 {
				v.Upper = uint32(2 + r.IntN(100))
				v.Lower = 1
			}
			print(lvs.Op{Verb: lvs.AddServer, Service: s, Server: v.Canonical()})
		}
	}
	return b.String()
}

// FuzzConvert: whatever the input, the result is valid, and each line that does
// not do what it says is reported.
func FuzzConvert(f *testing.F) {
	f.Add(saved)
	f.Add("--set 1 2 3\n--start-daemon master --mcast-interface eth1\n-A -t 1.2.3.4:5 -p\n-a -t 1.2.3.4:5 -r 1.2.3.5\n")
	f.Add("-A -f 7 -6 -b flag-1,flag-2 -s mh --pe sip -p60 -M 64\n-a -f 7 -6 -r [::1]\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, toml, report := run(t, text)
		if c != nil && len(c.Services) == 0 {
			t.Errorf("a configuration without services:\n%s", toml)
		}
		for _, x := range report.Findings {
			if x.At.Line < 1 || x.Message == "" {
				t.Errorf("a finding without a position: %v", x)
			}
		}
	})
}

// The documentation says what becomes of every option.
func TestEveryOptionIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../docs/convert-ipvsadm.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range arguments {
		if !strings.Contains(string(page), "`--"+name+"`") {
			t.Errorf("--%s is not documented", name)
		}
	}
	for short, name := range shortNames {
		if short != 'l' && !strings.Contains(string(page), "`-"+string(short)+"` `--"+name+"`") {
			t.Errorf("-%c, --%s, is not documented", short, name)
		}
	}
}

// A table of 1,800 servers is converted in well under a second.
func BenchmarkConvert(b *testing.B) {
	var text strings.Builder
	for i := range 180 {
		fmt.Fprintf(&text, "-A -t 10.0.%d.1:80 -s rr\n", i)
		for j := range 10 {
			fmt.Fprintf(&text, "-a -t 10.0.%d.1:80 -r 192.168.%d.%d:80 -m -w 1\n", i, i, j+1)
		}
	}
	for b.Loop() {
		var report convert.Report
		c := Convert(convert.Input{Files: []convert.File{{Name: "rules", Text: text.String()}}}, &report)
		if len(conf.ShowBrief(c.Config)) == 0 || report.Untranslated() > 0 {
			b.Fatal(report.String())
		}
	}
}
