package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

// A heartbeatCase is a configuration of heartbeat for two nodes. The first owns the
// resources.
type heartbeatCase struct {
	name                      string
	hacf, haresources, script string // script is the service that haresources names, with its path
	nodes, addresses          [2]string
	back                      int // who has the resources when the first node is back
	// edit is what the report asks a person to do: replacements in the result, in pairs.
	edit []string
	// vip is how heartbeat has the address; ours is how holdfast has it.
	vip, ours string
}

// Two shapes of public repositories, with times of seconds.
var heartbeatCases = []heartbeatCase{{
	name:        "an address with its device, back to the owner",
	hacf:        "keepalive 1\ndeadtime 3\ninitdead 6\nbcast eth1\nnode node1\nnode node2\nauto_failback on\n",
	haresources: "node1 IPaddr::192.168.1.71/24/eth1 apache\n",
	script:      "/etc/init.d/apache",
	nodes:       [2]string{"node1", "node2"}, addresses: [2]string{"203.0.113.1/24", "203.0.113.2/24"},
	back: 0, vip: "192.168.1.71/24 eth1:0", ours: "192.168.1.71/24 eth1",
}, {
	name:        "an address alone, which stays",
	hacf:        "keepalive 1\ndeadtime 3\nwarntime 2\ninitdead 6\nbcast eth1\nauto_failback off\nnode alpha\nnode beta\n",
	haresources: "alpha 203.0.113.89 httpd\n",
	script:      "/etc/init.d/httpd",
	nodes:       [2]string{"alpha", "beta"}, addresses: [2]string{"203.0.113.1/24", "203.0.113.2/24"},
	// The address belongs on the interface that has a route to it.
	edit: []string{`interface = "eth1"`, `interface = "eth0"`, "203.0.113.89/32", "203.0.113.89/24"},
	back: 1, vip: "203.0.113.89/24 eth0:0", ours: "203.0.113.89/24 eth0",
}}

// heartbeatNode gives Debian's heartbeat a root of its own, with the packages over the
// host's files, and becomes it. Its arguments are the folder of the packages, that of the
// node, and the node's name.
const heartbeatNode = `set -e
packages=$1 dir=$2
hostname "$3"
mount --make-rprivate /
` + lab.AssembleRoot + `mount --bind "$dir" srv
mkdir -p run/heartbeat run/resource-agents var/lib/heartbeat/cores/root
echo "hacluster:x:701:701::/:/bin/false" >>etc/passwd
echo "haclient:x:701:" >>etc/group
chown -R 701:701 run/heartbeat var/lib/heartbeat
cp "$dir/ha.cf" "$dir/haresources" "$dir/authkeys" etc/ha.d/
rm -f etc/ha.d/resource.d/apache
install -D -m 755 "$dir/script" ".$4"
exec chroot . /usr/libexec/heartbeat/heartbeat -f
`

// serviceScript is a service of System V that notes how it is called.
const serviceScript = "#!/bin/sh\ncase \"$1\" in\nstart) echo start >>DIR/calls; : >DIR/runs ;;\nstop) echo stop >>DIR/calls; rm -f DIR/runs ;;\n" +
	"status) if [ -e DIR/runs ]; then echo running; else echo stopped; exit 3; fi ;;\nesac\n"

// A heartbeatSide is a node of one of the two programs.
type heartbeatSide struct {
	*lab.Host
	dir   string
	start func()
	stop  func() // as an administrator does
	cut   func() // the power
}

// note returns where the address is, and since when the calls of the service were asked
// for, its calls.
func (s *heartbeatSide) note(vip string) string {
	address, _, _ := strings.Cut(vip, "/")
	held := regexp.MustCompile(`inet (` + regexp.QuoteMeta(address) + `/\d+) (?:brd \S+ )?scope global (?:\w+ )*([\w:]+)\\`).FindStringSubmatch(s.Run("ip", "-o", "-4", "address"))
	calls, _ := os.ReadFile(filepath.Join(s.dir, "calls"))
	text := "without the address"
	if held != nil {
		text = held[1] + " " + held[2]
	}
	return text + "; " + strings.Join(strings.Fields(string(calls)), " ")
}

// Two nodes with Debian's heartbeat, and two directors with the converted file, have the
// address and run the service at the same time: at the start, after a planned stop of the
// first, when it is back, and after its power failed.
func TestConvertedHeartbeatDoesTheSame(t *testing.T) {
	t.Parallel()
	for _, c := range heartbeatCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := lab.New(t)
			theirs, ours := c.heartbeats(t, l), c.directors(t, l)
			theirs[0].start()
			theirs[1].start()
			// Without preemption the first director that is up keeps the address. heartbeat
			// would give it to the owner in any order.
			ours[0].start()
			lab.Wait(t, 40*time.Second, "the first director has the address", func() (string, bool) {
				got := ours[0].note(c.ours)
				return got, strings.HasPrefix(got, c.ours)
			})
			ours[1].start()
			none := "without the address; "
			has := func(where string, calls string) string { return where + "; " + calls }
			const stopped = "start stop"
			for _, step := range []struct {
				what string
				do   func(*heartbeatSide)
				want func(vip string) [2]string
			}{
				{"both are up", nil, func(vip string) [2]string { return [2]string{has(vip, "start"), none} }},
				{"the first was stopped", func(s *heartbeatSide) { s.stop() }, func(vip string) [2]string { return [2]string{none + stopped, has(vip, "start")} }},
				{"the first is back", func(s *heartbeatSide) { s.start() }, func(vip string) [2]string {
					if c.back == 0 {
						return [2]string{has(vip, "start stop start"), none + stopped}
					}
					return [2]string{none + stopped, has(vip, "start")}
				}},
			} {
				for _, side := range []struct {
					who, vip string
					nodes    []*heartbeatSide
				}{{"heartbeat", c.vip, theirs}, {"holdfast", c.ours, ours}} {
					if step.do != nil {
						step.do(side.nodes[0])
					}
					want := step.want(side.vip)
					lab.Wait(t, 40*time.Second, fmt.Sprintf("%s when %s", side.who, step.what), func() (string, bool) {
						diff := cmp.Diff(want, [2]string{side.nodes[0].note(side.vip), side.nodes[1].note(side.vip)})
						return diff, diff == ""
					})
				}
			}
			for _, side := range []struct {
				who, vip string
				nodes    []*heartbeatSide
			}{{"heartbeat", c.vip, theirs}, {"holdfast", c.ours, ours}} {
				side.nodes[c.back].cut()
				other := side.nodes[1-c.back]
				lab.Wait(t, 40*time.Second, side.who+" without the power of the first", func() (string, bool) {
					got := other.note(side.vip)
					return got, strings.HasPrefix(got, side.vip+"; ") && strings.HasSuffix(got, "start")
				})
			}
		})
	}
}

// hosts makes two hosts on a switch, each with a folder that has the service.
func (c *heartbeatCase) hosts(t *testing.T, l *lab.Lab, who string) (sides []*heartbeatSide) {
	t.Helper()
	outside, between := l.Switch(who[:5]+"-out"), l.Switch(who[:5]+"-btw")
	for i := range c.nodes {
		h := l.Host(fmt.Sprintf("%s%d", who, i+1))
		h.Plug(outside, "eth0", c.addresses[i])
		h.Plug(between, "eth1", fmt.Sprintf("192.168.1.%d/24", i+1))
		s := &heartbeatSide{Host: h, dir: filepath.Join(l.Dir(), h.Name+".d"), cut: h.PowerCut}
		if err := os.MkdirAll(s.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		sides = append(sides, s)
	}
	return sides
}

func (s *heartbeatSide) write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

const heartbeatKeys = "auth 1\n1 sha1 secret\n"

func (c *heartbeatCase) heartbeats(t *testing.T, l *lab.Lab) []*heartbeatSide {
	packages := filepath.Join(tools.Cache(), "root")
	if _, err := os.Stat(filepath.Join(packages, "usr/libexec/heartbeat/heartbeat")); err != nil {
		tools.Without(t, "netns", err)
	}
	sides := c.hosts(t, l, "heartbeat")
	for i, s := range sides {
		s.write(t, "ha.cf", "logfile /dev/stderr\n"+c.hacf, 0o644)
		s.write(t, "haresources", c.haresources, 0o644)
		s.write(t, "authkeys", heartbeatKeys, 0o600)
		s.write(t, "script", strings.ReplaceAll(serviceScript, "DIR", "/srv"), 0o755)
		var p *lab.Process
		s.start = func() {
			p = s.Start("/usr/bin/unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child",
				"sh", "-c", heartbeatNode, "sh", packages, s.dir, c.nodes[i], c.script)
		}
		s.stop = func() {
			children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", p.Pid()))
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(children)))
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			p.Wait(30 * time.Second)
		}
	}
	return sides
}

func (c *heartbeatCase) directors(t *testing.T, l *lab.Lab) []*heartbeatSide {
	sides := c.hosts(t, l, "holdfast")
	for i, s := range sides {
		hacf, haresources := s.write(t, "ha.cf", c.hacf, 0o644), s.write(t, "haresources", c.haresources, 0o644)
		keys := s.write(t, "authkeys", heartbeatKeys, 0o600)
		script := s.write(t, "script", strings.ReplaceAll(serviceScript, "DIR", s.dir), 0o755)
		daemon := s.NewDaemon("")
		out := filepath.Join(s.dir, "holdfast.toml")
		_, report, _ := daemon.CLI("convert", "--director", c.nodes[i], "-o", out, hacf, haresources, keys)
		toml, err := os.ReadFile(out)
		if err != nil {
			t.Fatalf("convert: %v\n%s", err, report)
		}
		daemon.ConfigureFile(s.write(t, "edited.toml", strings.NewReplacer(append(c.edit, c.script, script)...).Replace(string(toml)), 0o644))
		s.start = daemon.Restart
		s.stop = func() { daemon.Stop() }
	}
	return sides
}
