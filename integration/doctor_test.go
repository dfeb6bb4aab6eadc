package integration_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"holdfast/integration/lab"
)

// A sickness is something that is broken, what the doctor says of it, and how it is
// healed.
type sickness struct {
	name        string
	ail, heal   func()
	what, cure  string
	severity    string   // "": error
	args        []string // of the doctor
	healedByFix bool
}

// The doctor finds nothing on a healthy MASTER and on a healthy BACKUP. It finds each
// thing that is broken, with its cure, and not any more when it is healed.
func TestDoctor(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	daemons := directors(t, p, lab.Director{IPv6: true})
	for _, h := range p.Directors {
		h.DefaultRoute(lab.RouterIP)
		h.Route("198.51.100.0/24", "192.168.0.11") // a neighbour that can be asked
	}
	for _, d := range daemons {
		healthy(t, d)
	}
	backup, host := daemons[1], p.Directors[1]
	nft := func(rules string) func() {
		return func() { host.Run("nft", strings.Fields(rules)...) }
	}
	flushed := nft("flush ruleset")
	nat := p.WriteFile("nat.toml", "[director]\nruntime_dir = \""+backup.RuntimeDir()+"\"\n"+natService)
	for _, s := range []sickness{
		{name: "a rule drops adverts", heal: flushed, ail: func() {
			nft("add table inet fw")()
			nft("add chain inet fw in { type filter hook input priority 10 ; }")()
			nft("add set inet fw bad { type inet_proto ; elements = { vrrp, sctp } ; }")()
			nft("add chain inet fw more")()
			nft("add rule inet fw in iifname eth0 jump more")()
			nft("add rule inet fw more ip protocol @bad drop")()
		}, what: "nftables drops VRRP adverts (protocol 112) on eth0: table inet fw", cure: "nft insert rule inet fw in iifname eth0 meta l4proto 112 accept"},
		{name: "a policy drops adverts", heal: flushed, ail: func() {
			nft("add table inet fw")()
			nft("add chain inet fw in { type filter hook input priority 10 ; policy drop ; }")()
			nft("add rule inet fw in ct state vmap { established : accept, related : accept }")()
			nft("add rule inet fw in meta l4proto { icmp, ipv6-icmp, tcp } accept")()
		}, what: "chain in, its policy", cure: "nft insert rule inet fw in"},
		{name: "a host answers for the VIP", what: "answers ARP for the virtual address 10.0.0.100 on eth0", cure: "take 10.0.0.100 away from it",
			ail:  func() { p.Router.Run("ip", "address", "add", lab.VIP+"/32", "dev", "eth0") },
			heal: func() { p.Router.Run("ip", "address", "del", lab.VIP+"/32", "dev", "eth0") }},
		{name: "somebody drops frames from virtual MACs", severity: "warning", cure: "allow MAC address changes",
			what: "10.0.0.1 answers eth0 when it asks from its own MAC address, and does not when it asks from 00:00:5e:00:01:00",
			ail: func() {
				p.Router.Run("nft", "add table arp filter")
				p.Router.Run("nft", "add chain arp filter in { type filter hook input priority 0 ; }")
				p.Router.Run("nft", "add rule arp filter in arp saddr ether 00:00:5e:00:01:00 drop")
			},
			heal: func() { p.Router.Run("nft", "flush ruleset") }},
		{name: "NAT without forwarding", what: "net.ipv4.ip_forward is 0, and the service web forwards by NAT", cure: "sysctl -w net.ipv4.ip_forward=1",
			args: []string{"-c", nat}, ail: func() { host.Sysctl("net/ipv4/ip_forward", "0") }, healedByFix: true},
		{name: "the MASTER's daemon is gone and its rp_filter is strict", what: "rp_filter is strict on vrrp4-51: all has 1", cure: "sysctl -w net.ipv4.conf.vrrp4-51.rp_filter=2",
			ail: func() {
				backup.Crash()
				host.Sysctl("net/ipv4/conf/all/rp_filter", "1")
			}, healedByFix: true},
	} {
		s.ail()
		f, text := find(t, backup, s)
		if f == nil {
			t.Errorf("%s: not found in\n%s", s.name, text)
			continue
		}
		if f.Severity != cmp.Or(s.severity, "error") || f.Why == "" || !strings.Contains(f.Cure, s.cure) {
			t.Errorf("%s: %+v", s.name, f)
		}
		if s.healedByFix {
			fixed := s
			fixed.args = append(fixed.args, "--fix")
			if f, text = find(t, backup, fixed); f == nil || f.Fixed == "" {
				t.Errorf("%s: --fix did not cure it:\n%s", s.name, text)
			}
		} else {
			s.heal()
		}
		lab.Wait(t, 10*time.Second, s.name+": healed", func() (string, bool) {
			f, text := find(t, backup, s)
			return text, f == nil
		})
	}
}

// The doctor sees a bridge without a querier below a virtual router.
func TestDoctorOnBridge(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	h := p.Directors[0]
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}
	if err := h.Link().LinkAdd(bridge); err != nil {
		t.Fatal(err)
	}
	h.Run("ip", "link", "set", "eth0", "master", "br0")
	h.Run("ip", "address", "flush", "dev", "eth0")
	h.Run("ip", "address", "add", "10.0.0.2/24", "dev", "br0")
	h.Run("ip", "link", "set", "br0", "up")
	d := h.NewDaemon("[[vrrp]]\nname = \"outside\"\ninterface = \"br0\"\nvrid = 51\naddresses = [\"10.0.0.100/24\"]\n")
	s := sickness{what: "the bridge br0 (for br0) snoops on multicast"}
	lab.Wait(t, 20*time.Second, "the finding", func() (string, bool) {
		f, text := find(t, d, s)
		return text, f != nil && strings.Contains(f.Cure, "ip link set br0 type bridge mcast_querier 1")
	})
	h.Run("ip", "link", "set", "br0", "type", "bridge", "mcast_querier", "1")
	if f, text := find(t, d, s); f != nil {
		t.Errorf("healed, and still found:\n%s", text)
	}
}

// balancing has what the doctor asks of a director that balances: sync daemons, checks
// and a tunnel.
const balancing = `
[lvs]
sync = { interface = "eth1", id = 1 }
[[service]]
name = "web"
address = "10.0.0.100:80"
forward = "tun"
[service.check]
type = "tcp"
[[service.server]]
address = "192.168.0.11:80"
`

// The doctor sees all at once what keeps a director from balancing, on one that does not
// run yet, and nothing of it when it is healed.
func TestDoctorOfBalancing(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	h := p.Directors[0]
	d := h.NewDaemon(lab.Director{Priority: 100, Interval: time.Second, IPv6: true}.TOML() + balancing)
	for _, rule := range []string{
		"add table ip filter", "add chain ip filter INPUT { type filter hook input priority 0 ; }", // as iptables makes them
		"add rule ip filter INPUT iifname eth0 meta l4proto 112 counter drop",
		"add table inet fw", "add chain inet fw in { type filter hook input priority 10 ; }", "add chain inet fw out { type filter hook output priority 10 ; }",
		"add rule inet fw in udp dport 8848 drop", "add rule inet fw out udp dport 8848 drop",
		"add rule inet fw out ip daddr 192.168.0.11 tcp dport 80 reject",
	} {
		h.Run("nft", strings.Fields(rule)...)
	}
	p.Router.Run("ip", "address", "add", lab.VIP6+"/128", "dev", "eth0", "nodad")
	ails := []struct{ what, cure string }{
		{"drops VRRP adverts (protocol 112) on eth0: table ip filter, chain INPUT", "iptables -t filter -I INPUT -i eth0 -p 112 -j ACCEPT"},
		{"drops connections for the sync daemon on eth1: table inet fw, chain in", "nft insert rule inet fw in iifname eth1 udp dport 8848 accept"},
		{"drops connections of the sync daemon on eth1: table inet fw, chain out", "nft insert rule inet fw out oifname eth1 udp dport 8848 accept"},
		{"drops checks of 192.168.0.11 port 80: table inet fw, chain out", "nft insert rule inet fw out tcp dport 80 accept"},
		{"answers neighbour discovery for the virtual address " + lab.VIP6 + " on eth0", "take " + lab.VIP6 + " away from it"},
		{"packets of 1500 bytes from clients do not fit into the tunnel to 192.168.0.11:80 of service web: eth1 has MTU 1500", "ip link set eth1 mtu 1520"},
	}
	findings, text := examine(t, d)
	for _, a := range ails {
		i := slices.IndexFunc(findings, func(f finding) bool { return strings.Contains(f.What, a.what) })
		switch {
		case i < 0:
			t.Errorf("%s: not found in\n%s", a.what, text)
		case !strings.Contains(findings[i].Cure, a.cure):
			t.Errorf("%s: cure %s", a.what, findings[i].Cure)
		}
	}
	h.Run("nft", "flush", "ruleset")
	h.Run("ip", "link", "set", "eth1", "mtu", "1520")
	p.Router.Run("ip", "address", "del", lab.VIP6+"/128", "dev", "eth0")
	findings, text = examine(t, d)
	for _, a := range ails {
		if slices.ContainsFunc(findings, func(f finding) bool { return strings.Contains(f.What, a.what) }) {
			t.Errorf("healed, and still found: %s\n%s", a.what, text)
		}
	}
}

const natService = `
[[service]]
name = "web"
address = "10.0.0.100:80"
forward = "nat"
[service.check]
type = "tcp"
[[service.server]]
address = "192.168.0.11:80"
`

type finding struct{ Diagnosis, Severity, What, Why, Cure, Fixed string }

// find returns the finding about a sickness, nil if there is none, and all that the
// doctor said.
func find(t *testing.T, d *lab.Daemon, s sickness) (*finding, string) {
	t.Helper()
	findings, out := examine(t, d, s.args...)
	for _, f := range findings {
		if strings.Contains(f.What, s.what) {
			return &f, out
		}
	}
	return nil, out
}

// examine returns all that the doctor finds, and what it said.
func examine(t *testing.T, d *lab.Daemon, args ...string) ([]finding, string) {
	t.Helper()
	out, stderr, err := d.CLI("doctor", append([]string{"--json"}, args...)...)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatalf("doctor: %v\n%s%s", err, out, stderr)
	}
	var report struct{ Findings []finding }
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return report.Findings, out
}

// healthy waits until the doctor finds nothing wrong.
func healthy(t *testing.T, d *lab.Daemon) {
	t.Helper()
	lab.Wait(t, 20*time.Second, "a healthy director", func() (string, bool) {
		out, stderr, err := d.CLI("doctor")
		return out + stderr, err == nil && strings.Contains(out, "nothing wrong") && !strings.Contains(out, "NOT SEEN")
	})
}
