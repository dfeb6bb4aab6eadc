package integration_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// A reload that changes something else does not disturb a virtual router: traffic
// flows, adverts go on, and the other director does not notice.
func TestReloadUnderTraffic(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	macs := watchMACs(p, false)
	daemons := directors(t, p, lab.Director{})
	load := startTraffic(t, p, false)
	adverts, other := p.Directors[0].Wires["eth0"].Capture(), p.Directors[1].Wires["eth0"].Capture()
	adverts.Await(t, 20*time.Second, "adverts", 5, lab.Advertised(51))

	third := "[[vrrp]]\nname = \"third\"\ninterface = \"eth0\"\nvrid = 53\npriority = %P\ninterval = \"100ms\"\naddresses = [\"10.0.0.103/24\"]\n"
	config := func(i int, more string) string {
		return lab.Director{Priority: priorities[i], Interval: fast, More: more}.TOML()
	}
	for range 3 {
		for i, priority := range []string{"200", "150"} {
			daemons[i].Configure(config(i, strings.ReplaceAll(third, "%P", priority)))
			if err := daemons[i].Reload(); err != nil {
				t.Fatalf("reload with one virtual router more: %v", err)
			}
		}
		daemons[0].AwaitState(t, "MASTER")
		p.Router.Probe("10.0.0.103", 10*time.Millisecond).AwaitAnswers(t, 20*time.Second, 10)
		for i, d := range daemons {
			d.Configure(config(i, ""))
			if err := d.Reload(); err != nil {
				t.Fatalf("reload with one virtual router less: %v", err)
			}
		}
	}
	adverts.Await(t, 20*time.Second, "adverts", adverts.Count(lab.Advertised(51))+5, lab.Advertised(51))

	for name, tally := range load.stop(t) {
		if tally.Lost > tally.Sent/100 {
			t.Errorf("%s: a reload that changes nothing for it: %v", name, tally)
		}
	}
	macs.check(t)
	// A BACKUP that misses three adverts speaks.
	if n := other.Count(lab.Advertised(51)); n != 0 {
		t.Errorf("the BACKUP took over %d times", n)
	}
	s, err := daemons[0].Status()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range s.VRRP {
		if v.Counters.Transitions > 2 { // to BACKUP and to MASTER, at the start
			t.Errorf("%s made %d transitions", v.Name, v.Counters.Transitions)
		}
	}
}

// A reload applies changed addresses and a changed priority.
func TestReloadChanges(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	daemons := directors(t, p, lab.Director{})
	config := lab.Director{Priority: 200, Interval: fast}.TOML()
	daemons[0].Configure(strings.Replace(config, lab.VIP, "10.0.0.150", 1))
	if err := daemons[0].Reload(); err != nil {
		t.Fatal(err)
	}
	p.Router.Probe("10.0.0.150", 10*time.Millisecond).AwaitAnswers(t, 20*time.Second, 10)
	if addresses := p.Directors[0].Run("ip", "addr"); strings.Contains(addresses, lab.VIP+"/") {
		t.Errorf("the old VIP is still there:\n%s", addresses)
	}

	daemons[0].Configure(lab.Director{Priority: 50, Interval: fast}.TOML())
	if err := daemons[0].Reload(); err != nil {
		t.Fatal(err)
	}
	daemons[1].AwaitState(t, "MASTER")
	daemons[0].AwaitState(t, "BACKUP")
}

// A configuration with an error changes nothing, and the reload says why.
func TestBadReload(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	daemons := directors(t, p, lab.Director{})
	load := startTraffic(t, p, false)
	for _, c := range []struct{ name, config, want string }{
		{"unknown key", lab.Director{Priority: 100, Interval: fast, Options: "prioritty = 5"}.TOML(), "prioritty"},
		{"no TOML", "[[vrrp\n", ".toml:"},
		{"VRID twice", strings.Replace(lab.Director{Priority: 100, Interval: fast}.TOML(), "eth1", "eth0", 1) + duplicate, "51"},
		{"no such interface", strings.Replace(lab.Director{Priority: 100, Interval: fast}.TOML(), "eth1", "eth7", 1), "eth7"},
	} {
		daemons[0].Configure(c.config)
		if plan, complaint, err := daemons[0].CLI("plan"); err == nil || !strings.Contains(complaint, c.want) {
			t.Errorf("%s: plan said %s%s, want something with %q", c.name, plan, complaint, c.want)
		}
		err := daemons[0].Reload()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: reload said %v, want something with %q", c.name, err, c.want)
		}
		daemons[0].AwaitState(t, "MASTER")
		load.flows(t)
	}
	load.stop(t)
}

const duplicate = "[[vrrp]]\nname = \"again\"\ninterface = \"eth0\"\nvrid = 51\naddresses = [\"10.0.0.101/24\"]\n"

// A configuration that cannot work is refused with the reason, and leaves nothing
// behind.
func TestRefuses(t *testing.T) {
	t.Parallel()
	good := lab.Director{Priority: 100, Interval: fast}.TOML()
	for _, c := range []struct{ name, config, want string }{
		{"unknown interface", strings.Replace(good, "eth1", "eth7", 1), "eth7"},
		{"VRID twice", good + duplicate, "51"},
		{"bad key", "[[vrrp]]\nflavour = \"x\"\n", "flavour"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := lab.NewPair(t, 1)
			before := p.Directors[0].Snapshot()
			d := p.Directors[0].Holdfast(c.config)
			if status := d.Wait(20 * time.Second); status != 1 {
				t.Errorf("exit status %d, want 1", status)
			}
			if log := d.LogText(); !strings.Contains(log, c.want) {
				t.Errorf("the reason lacks %q:\n%s", c.want, log)
			}
			if diff := before.Diff(p.Directors[0].Snapshot()); diff != "" {
				t.Errorf("something stays behind:\n%s", diff)
			}
		})
	}
}

// Scripts run for every transition, in order.
func TestNotify(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	record := p.WriteFile("notified", "")
	script := p.WriteFile("notify.sh", "#!/bin/sh\necho \"$1 $2 $3 $4\" >>"+record+"\n")
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	d := p.Directors[0].Holdfast(lab.Director{Priority: 200, Interval: fast, More: "notify = { any = \"" + script + "\" }\n"}.TOML())
	d.AwaitState(t, "MASTER")
	p.Directors[0].Wires["eth0"].Cut()
	d.AwaitState(t, "FAULT")
	p.Directors[0].Wires["eth0"].Replug()
	d.AwaitState(t, "MASTER")
	if status := d.Stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	text, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	var states []string
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		fields := strings.Fields(line)
		if len(fields) != 4 || fields[0] != "GROUP" || fields[1] != "director" {
			t.Fatalf("a script was called with %q", line)
		}
		states = append(states, fields[2])
	}
	// The last of them was awaited by the stop.
	if got, want := strings.Join(states, " "), "BACKUP MASTER FAULT BACKUP MASTER STOP"; got != want {
		t.Errorf("scripts heard %s, want %s", got, want)
	}
}
