package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/integration/lab"
)

// convertKeepalived returns what `holdfast convert` makes of a file, for a daemon.
func convertKeepalived(t *testing.T, d *lab.Daemon, dir, config string) string {
	t.Helper()
	conf := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(conf, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "holdfast.toml")
	_, report, err := d.CLI("convert", "--from", "keepalived", "-o", out, conf)
	if err != nil {
		t.Fatalf("convert: %v\n%s", err, report)
	}
	toml, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(toml)
}

// traces is what a MASTER brings: addresses, routes, rules, and the calls of its
// notification programs.
type traces struct{ Addresses, Routes, Rules, Calls []string }

// look records what a host has of the virtual router. The programs append their
// arguments to the file calls.
func look(host *lab.Host, calls string) traces {
	var v traces
	for line := range strings.Lines(host.Run("ip", "-o", "addr", "show")) {
		words := strings.Fields(line)
		if strings.HasPrefix(words[3], "10.0.0.1") && len(words[3]) > len("10.0.0.1/24") {
			v.Addresses = append(v.Addresses, strings.Join(keep(words[1:], "inet", "brd", "scope", "global", "site", "link"), " "))
		}
	}
	for line := range strings.Lines(host.Run("ip", "-4", "route", "show", "table", "all")) {
		if strings.Contains(line, "10.77.") {
			// Only holdfast says that a gateway need not be in a subnet of the device.
			line = strings.NewReplacer("proto keepalived ", "", "proto 112 ", "", "proto 18 ", "", "onlink", "").Replace(line)
			v.Routes = append(v.Routes, strings.TrimSpace(line))
		}
	}
	for line := range strings.Lines(host.Run("ip", "-4", "rule", "show")) {
		if strings.Contains(line, "10.77.") {
			line = strings.NewReplacer(" proto keepalived", "", " proto 112", "", " proto 18", "").Replace(line)
			v.Rules = append(v.Rules, strings.Join(strings.Fields(line), " "))
		}
	}
	text, _ := os.ReadFile(calls)
	v.Calls = strings.Split(strings.TrimSpace(string(text)), "\n")
	slices.Sort(v.Addresses)
	slices.Sort(v.Routes)
	slices.Sort(v.Calls) // keepalived starts the programs of a transition all at once
	return v
}

// keep returns the words of an address line that both programs decide: the device,
// the address and the label, and the words given with what follows them.
func keep(words []string, known ...string) []string {
	var kept []string
	for i, w := range words {
		if i == 0 || slices.Contains(known, w) || strings.Contains(w, "/") || i > 0 && words[i-1] == "brd" || strings.Contains(w, ":web") {
			kept = append(kept, w)
		}
	}
	return kept
}

// What keepalived did with a file, holdfast does with the converted file: the same
// addresses on the same devices, routes, rules, and calls of programs with the same
// arguments.
func TestConvertedKeepalivedDoesTheSame(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"without virtual MAC": `
	interface eth0
	virtual_router_id 51
	priority 150
	virtual_ipaddress {
		10.0.0.100/24 label eth0:web brd +
		10.0.0.101 scope link
		10.0.0.102/24 dev eth0
	}
	virtual_ipaddress_excluded {
		10.0.0.110/28
	}
	virtual_routes {
		10.77.0.0/16 via 10.0.0.1 dev eth0 metric 50
		src 10.0.0.100 to 10.77.1.0/24 via 10.0.0.1 dev eth0 table 7
		blackhole 10.77.2.0/24 table 7
	}
	virtual_rules {
		from 10.77.0.0/16 table 7 preference 1000
		to 10.77.3.0/24 fwmark 3 lookup 7 preference 1001
	}`,
		"with virtual MAC": `
	state MASTER
	interface eth0
	virtual_router_id 52
	use_vmac vip
	version 3
	advert_int 0.5
	virtual_ipaddress {
		10.0.0.100/24
		10.0.0.103/24
	}
	virtual_routes {
		10.77.0.0/16 via 10.0.0.1 dev vip
	}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := lab.NewPair(t, 1)
			host := p.Directors[0]
			run := func(who, config, calls string, start func(string) *lab.Process) (serving, after traces) {
				process := start(config)
				lab.Wait(t, 30*time.Second, who+" is MASTER and has called its programs", func() (string, bool) {
					serving = look(host, calls)
					text := strings.Join(serving.Calls, "\n")
					return text, strings.Contains(text, "master of gateway") && strings.Contains(text, "INSTANCE gateway MASTER")
				})
				lab.Wait(t, 10*time.Second, "the addresses of "+who, func() (string, bool) {
					serving = look(host, calls)
					return fmt.Sprint(serving.Addresses), len(serving.Addresses) >= strings.Count(body, "10.0.0.10")-strings.Count(body, "src 10.0.0.10")
				})
				process.Stop()
				lab.Wait(t, 10*time.Second, who+" has stopped", func() (string, bool) {
					after = look(host, calls)
					text := strings.Join(after.Calls, "\n")
					return text, strings.Contains(text, "stop of gateway") && strings.Contains(text, "INSTANCE gateway STOP")
				})
				return serving, after
			}
			config := func(calls string) string {
				script := calls + ".sh"
				if err := os.WriteFile(script, []byte("#!/bin/sh\necho \"$*\" >>"+calls+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
				return fmt.Sprintf("global_defs {\n\tscript_user root\n\tdynamic_interfaces\n}\nvrrp_instance gateway {%s\n\tnotify_master \"%s 'master of gateway' \"\n\tnotify_backup \"%s backup\"\n\tnotify_stop \"%s stop of gateway\"\n\tnotify %s\n}\n",
					body, script, script, script, script)
			}
			theirCalls, ourCalls := filepath.Join(p.Dir(), "keepalived.calls"), filepath.Join(p.Dir(), "holdfast.calls")
			wantServing, wantAfter := run("keepalived", config(theirCalls), theirCalls, host.Keepalived)
			daemon := host.NewDaemon("")
			toml := convertKeepalived(t, daemon, t.TempDir(), config(ourCalls))
			daemon.Configure(toml)
			serving, after := run("holdfast", "", ourCalls, func(string) *lab.Process {
				daemon.Restart()
				return daemon.Process
			})
			if diff := cmp.Diff(wantServing, serving); diff != "" {
				t.Errorf("while MASTER (-keepalived +holdfast):\n%s\n%s", diff, toml)
			}
			if diff := cmp.Diff(wantAfter, after); diff != "" {
				t.Errorf("after the stop (-keepalived +holdfast):\n%s", diff)
			}
		})
	}
}

// A pair of keepalived is moved to holdfast one director at a time, under traffic: no
// neighbour sees another MAC address, and no step costs more than a planned stop of
// keepalived.
func TestMigrationFromKeepalived(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	configs := make([]string, 2)
	for i, host := range p.Directors {
		// keepalived leaves it to the administrator that neighbours learn the virtual
		// MAC only.
		host.Sysctl("net/ipv4/conf/eth0/arp_announce", "2")
		host.Sysctl("net/ipv4/conf/eth1/arp_announce", "2")
		priority := 150 - 50*i
		configs[i] = lab.KeepalivedConfig(true,
			lab.VirtualRouter{Name: "outside", Version: 2, Interface: "eth0", VRID: 51, Priority: priority, Interval: time.Second, Addresses: []string{lab.VIP + "/24"}, VMAC: true, Device: "outside",
				Lines: []string{"authentication {\n\t\tauth_type PASS\n\t\tauth_pass swordfish\n\t}"}},
			lab.VirtualRouter{Name: "inside", Version: 2, Interface: "eth1", VRID: 52, Priority: priority, Interval: time.Second, Addresses: []string{lab.DIP + "/24"}, VMAC: true, Device: "inside"})
	}
	theirs := []*lab.Process{p.Directors[0].Keepalived(configs[0]), p.Directors[1].Keepalived(configs[1])}
	watches := []*lab.NeighbourWatch{p.Router.WatchNeighbour(lab.VIP), p.Realservers[0].WatchNeighbour(lab.DIP)}
	master := func(what string, who int) {
		t.Helper()
		c := p.Directors[who].Wires["eth0"].CaptureAdverts()
		c.Await(t, 30*time.Second, what, 3, func(f lab.Frame) bool { return f.FromHost && lab.Advertised(51)(f) })
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}
	measure := func(what string, step func()) time.Duration {
		t.Helper()
		var worst time.Duration
		probes := []*lab.Probe{p.Router.Probe(lab.VIP, time.Millisecond), p.Realservers[0].Probe(lab.DIP, time.Millisecond)}
		for _, probe := range probes {
			probe.AwaitAnswers(t, 20*time.Second, 200)
		}
		step()
		for _, probe := range probes {
			probe.AwaitAnswers(t, 20*time.Second, 500)
			// Not the longest outage: a BACKUP of keepalived, whose virtual MAC is up,
			// keeps some packets until it is MASTER, and answers them late.
			worst = max(worst, probe.Stop().LongestGap)
		}
		t.Logf("%s: %v without an answer", what, worst.Round(time.Millisecond))
		return worst
	}

	master("adverts of keepalived on lvs1", 0)
	cost := measure("keepalived on lvs1 stops", func() {
		theirs[0].Stop()
		master("adverts of keepalived on lvs2", 1)
	})
	measure("keepalived on lvs1 starts again", func() {
		theirs[0] = p.Directors[0].Keepalived(configs[0])
		master("adverts of keepalived on lvs1 again", 0)
	})

	daemons := make([]*lab.Daemon, 2)
	convertOn := func(i int) {
		daemons[i] = p.Directors[i].NewDaemon("")
		daemons[i].Configure(convertKeepalived(t, daemons[i], t.TempDir(), configs[i]))
		daemons[i].Restart()
	}
	spent := measure("lvs2 is converted", func() {
		theirs[1].Stop()
		convertOn(1)
		daemons[1].AwaitState(t, "BACKUP")
	})
	spent = max(spent, measure("keepalived on lvs1 stops beside holdfast", func() {
		theirs[0].Stop()
		daemons[1].AwaitState(t, "MASTER")
		master("adverts of holdfast on lvs2", 1)
	}))
	spent = max(spent, measure("lvs1 is converted and preempts", func() {
		convertOn(0)
		daemons[0].AwaitState(t, "MASTER")
		daemons[1].AwaitState(t, "BACKUP")
	}))
	// Both are the skew time of the BACKUP. The rest is the noise of this machine.
	if limit := cost + 150*time.Millisecond; spent > limit {
		t.Errorf("the migration cost %v, a planned stop of keepalived %v", spent, cost)
	}
	for _, w := range watches {
		if err := w.Err(); err != nil {
			t.Error(err)
		}
		if n := w.Changes(); n > 0 {
			t.Errorf("the MAC address changed %d times: %v", n, w)
		}
	}
}
