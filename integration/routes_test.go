package integration_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// everyRoute is a virtual router with a route or rule of every kind. eth7 is not
// there at first, and somebody else has the place of 10.66.0.0/16.
const everyRoute = `
[[vrrp]]
name = "third"
interface = "eth0"
vrid = 53
priority = %d
interval = "100ms"
addresses = ["10.0.0.103/24"]
excluded_addresses = ["2001:db8:a::103/64"]
[[vrrp.route]]
to = "10.60.0.0/16"
table = 70
nexthops = [{ via = "10.0.0.1", weight = 3 }, { via = "192.168.0.11", device = "eth1", onlink = false }]
mtu = 1400
lock = ["mtu"]
[[vrrp.route]]
to = "default"
type = "unreachable"
table = 70
metric = 4000
[[vrrp.route]]
to = "2001:db8:a::/64"
table = 70
[[vrrp.route]]
to = "2001:db8:60::/48"
via = "2001:db8:a::1"
table = 70
preference = "high"
[[vrrp.route]]
to = "10.65.0.0/16"
device = "eth7"
table = 70
[[vrrp.route]]
to = "10.66.0.0/16"
via = "10.0.0.1"
table = 70
[[vrrp.rule]]
from = "10.0.0.103"
interface = "vmac"
ip_protocol = "tcp"
destination_port = "8000-8999"
table = 70
[[vrrp.rule]]
from = "all"
mark = "7/0xff"
table = 70
suppress_prefix_length = 0
[[vrrp.rule]]
family = "ipv6"
output = "vmac"
action = "prohibit"
priority = 500
`

// routeLines are the lines of ip route and ip rule that show them.
var routeLines = []string{
	"10.60.0.0/16 proto 112 mtu lock 1400",
	"nexthop via 10.0.0.1 dev vrrp4-53 weight 3 onlink",
	"nexthop via 192.168.0.11 dev eth1 weight 1",
	"unreachable default proto 112 metric 4000",
	"2001:db8:60::/48 via 2001:db8:a::1 dev vrrp4-53 proto 112 metric 1024 pref high",
	"13392: from 10.0.0.103 iif vrrp4-53 ipproto tcp dport 8000-8999 lookup 70 proto 112",
	"13393: from all fwmark 0x7/0xff lookup 70 suppress_prefixlength 0 proto 112",
	"500: from all oif vrrp4-53 prohibit proto 112",
}

// tables is what the kernel has in the tables of these tests, one line each.
func tables(h *lab.Host) string {
	var b strings.Builder
	for _, command := range []string{"-4 route show table 70", "-6 route show table 70", "-4 rule show", "-6 rule show"} {
		text, _ := h.Try("ip", strings.Fields(command)...) // no such table: no such route
		b.WriteString(text)
	}
	var lines []string
	for line := range strings.Lines(strings.NewReplacer(" [detached]", "", " linkdown", "").Replace(b.String())) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

// awaitTables waits until the host's tables have all of the lines, or none.
func awaitTables(t *testing.T, h *lab.Host, limit time.Duration, there bool, lines ...string) {
	t.Helper()
	lab.Wait(t, limit, fmt.Sprintf("on %s there: %v: %q", h.Name, there, lines), func() (string, bool) {
		text := tables(h)
		return text, !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(text, line) != there })
	})
}

// Routes and rules of every kind move with the MASTER, and a reload changes them in
// place. A deleted one is restored, and one that cannot be installed is reported.
func TestRoutesOfEveryKind(t *testing.T) {
	t.Parallel()
	const limit = 20 * time.Second
	p := lab.NewPair(t, 2)
	one, two := p.Directors[0], p.Directors[1]
	theirs := "10.66.0.0/16 via 10.0.0.1 dev eth0 proto static"
	one.Run("ip", strings.Fields("route add 10.66.0.0/16 via 10.0.0.1 dev eth0 table 70 proto static")...)
	config := func(priority int, more string) string {
		return lab.Director{Priority: priority, Interval: fast, More: fmt.Sprintf(more, priority)}.TOML()
	}
	var daemons []*lab.Daemon
	for i, host := range p.Directors {
		daemons = append(daemons, host.Holdfast(config(priorities[i], everyRoute)))
		daemons[i].AwaitState(t, map[int]string{0: "MASTER", 1: "BACKUP"}[i])
	}
	awaitTables(t, one, limit, true, append(routeLines, theirs)...)
	awaitTables(t, two, limit, false, routeLines...)

	// What is missing, and why.
	says := func(d *lab.Daemon, want ...string) {
		t.Helper()
		lab.Wait(t, limit, fmt.Sprintf("the status says %q", want), func() (string, bool) {
			text, _, _ := d.CLI("status", "vrrp")
			words := strings.Join(strings.Fields(text), " ")
			return text, !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(words, w) })
		})
	}
	says(daemons[0], "UNWELL: vrrp third: route 10.65.0.0/16 dev eth7 table 70 is missing: interface eth7 does not exist",
		"a route via 10.0.0.1 by eth0 of protocol static has its place",
		"there route 10.60.0.0/16 nexthop via 10.0.0.1 nexthop via 192.168.0.11 dev eth1 table 70")
	says(daemons[1], "not here rule 13393 from 0.0.0.0/0 mark 0x7 mask 0xff table 70")

	// It comes when it can.
	one.Run("ip", strings.Fields("link add eth7 type veth peer name eth8")...)
	one.Run("ip", "link", "set", "eth7", "up")
	one.Run("ip", "link", "set", "eth8", "up")
	one.Run("ip", strings.Fields("route del 10.66.0.0/16 table 70 proto static")...)
	awaitTables(t, one, limit, true, "10.65.0.0/16 dev eth7 proto 112", "10.66.0.0/16 via 10.0.0.1 dev vrrp4-53 proto 112 onlink")

	// What is taken away comes back: by command, with a device, with a carrier.
	for _, damage := range []string{
		"ip route flush table 70",
		"ip -6 route flush table 70",
		"ip rule del priority 13392",
		"ip -6 rule del priority 500",
		"ip link set vrrp4-53 down",
		"ip address flush dev vrrp4-53",
	} {
		began := time.Now()
		words := strings.Fields(damage)
		one.Run(words[0], words[1:]...)
		awaitTables(t, one, limit, true, routeLines...)
		t.Logf("%s: repaired after %v", damage, time.Since(began).Round(time.Millisecond))
	}
	daemons[0].AwaitState(t, "MASTER")
	if text, _, _ := daemons[0].CLI("events"); !strings.Contains(text, "add rule 13392") || !strings.Contains(text, "add route 10.60.0.0/16") {
		t.Errorf("the events do not tell what was repaired:\n%s", text)
	}

	// A reload takes one away, changes one in its place and adds one.
	changed := strings.Replace(everyRoute, "mtu = 1400", "mtu = 1300", 1)
	changed = strings.Replace(changed, "priority = 500\n", "priority = 501\n", 1)
	changed = strings.Replace(changed, "[[vrrp.route]]\nto = \"10.66.0.0/16\"\nvia = \"10.0.0.1\"\ntable = 70\n", "", 1)
	daemons[0].Configure(config(priorities[0], changed))
	if err := daemons[0].Reload(); err != nil {
		t.Fatal(err)
	}
	awaitTables(t, one, limit, true, "10.60.0.0/16 proto 112 mtu lock 1300", "501: from all oif vrrp4-53 prohibit proto 112")
	awaitTables(t, one, limit, false, "500: from all", "10.66.0.0/16", "1400")

	// Over, with a crash, and back.
	daemons[0].Crash()
	awaitTables(t, two, limit, true, routeLines...)
	daemons[0].Restart()
	daemons[0].AwaitState(t, "MASTER")
	awaitTables(t, one, limit, true, "10.60.0.0/16 proto 112 mtu lock 1300", routeLines[1], routeLines[4])
	awaitTables(t, two, limit, false, routeLines...)
}
