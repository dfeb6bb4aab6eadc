package ipvs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// What somebody deletes or changes is restored. What somebody else made stays,
// through a reload and a stop.
func TestDriftIsRepaired(t *testing.T) {
	p := lab.NewPair(t, 1)
	host := p.Directors[0]
	host.Run("ipvsadm", "-A", "-t", "10.0.0.99:99", "-s", "lc")
	host.Run("ipvsadm", "-a", "-t", "10.0.0.99:99", "-r", "192.168.0.11:99", "-m", "-w", "3")
	foreign := []string{"-A -t 10.0.0.99:99 -s lc", "-a -t 10.0.0.99:99 -r 192.168.0.11:99 -m -w 3"}
	before := host.Run("ipvsadm", "-Sn")
	for _, h := range p.Realservers {
		h.ServeHTTP(":80")
	}
	daemon := host.Holdfast("reconcile_interval = \"1s\"\n" + config(0, service("web", web, check, rs1, rs2)))
	whole := append([]string{"-A -t " + web + " -s rr", "-r " + rs1, "-r " + rs2}, foreign...)
	awaitTable(t, host, whole...)

	for _, drift := range [][]string{
		{"-d", "-t", web, "-r", rs1},
		{"-e", "-t", web, "-r", rs2, "-g", "-w", "9"},
		{"-E", "-t", web, "-s", "wlc"},
		{"-D", "-t", web},
	} {
		before, err := daemon.Status()
		if err != nil {
			t.Fatal(err)
		}
		host.Run("ipvsadm", drift...)
		daemon.Await(t, fmt.Sprintf("a repair after ipvsadm %v", drift), func(s lab.Status) (string, bool) {
			return fmt.Sprintf("%d repairs", s.LVS.Repairs), s.LVS.Repairs > before.LVS.Repairs
		})
		awaitTable(t, host, whole...)
	}
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")

	if err := daemon.Reload(); err != nil {
		t.Fatal(err)
	}
	awaitTable(t, host, whole...)
	if status := daemon.Stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if after := host.Run("ipvsadm", "-Sn"); after != before {
		t.Errorf("table after the stop:\n%s\nbefore the start:\n%s", after, before)
	}
}

// A restart after a crash finds its servers in the table and leaves them
// there: no gap until the first checks.
func TestRestartKeepsServing(t *testing.T) {
	p := lab.NewPair(t, 1)
	for _, h := range p.Realservers {
		h.ServeHTTP(":80")
	}
	daemons := start(t, p, service("web", web, check, rs1, rs2))
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")
	daemons[0].Crash()
	daemons[0].Restart()
	daemons[0].AwaitState(t, "MASTER")
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")
	awaitTable(t, p.Directors[0], rs1, rs2)
}

// A service with active = "master" is in no other director's table.
func TestActiveOnMaster(t *testing.T) {
	p := lab.NewPair(t, 2)
	for _, h := range p.Realservers {
		h.ServeHTTP(":80")
	}
	daemons := start(t, p, service("web", web, "active = \"master\"\n"+check, rs1, rs2))
	awaitTable(t, p.Directors[0], "-A -t "+web, rs1, rs2)
	awaitTable(t, p.Directors[1], "!"+web)
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")

	// The new binary knows that it is MASTER without a transition that tells it.
	if _, stderr, err := daemons[0].CLI("upgrade"); err != nil {
		t.Fatalf("upgrade: %v: %s", err, stderr)
	}
	p.Directors[0].Run("ipvsadm", "-d", "-t", web, "-r", rs2)
	if err := daemons[0].Reload(); err != nil { // which compares the table at once
		t.Fatal(err)
	}
	awaitTable(t, p.Directors[0], "-A -t "+web, rs1, rs2)

	p.Directors[0].Wires["eth0"].Cut()
	daemons[1].AwaitState(t, "MASTER")
	awaitTable(t, p.Directors[1], "-A -t "+web, rs1, rs2)
	awaitTable(t, p.Directors[0], "!"+web)
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")

	p.Directors[0].Wires["eth0"].Replug()
	daemons[0].AwaitState(t, "MASTER")
	awaitTable(t, p.Directors[0], "-A -t "+web, rs1, rs2)
	awaitTable(t, p.Directors[1], "!"+web)
}

// A service that is active on the MASTER only stays in the table when a reload
// gives the group another name.
func TestActiveInRenamedGroup(t *testing.T) {
	p := lab.NewPair(t, 1)
	p.Realservers[0].ServeLines(":7")
	talk := service("lines", lines, "active = \"master\"\n[service.check]\ntype = \"none\"\n", "192.168.0.11:7")
	daemons := start(t, p, talk)
	awaitTable(t, p.Directors[0], "-A -t "+lines)
	conversation := p.Router.Converse(t, lines)
	for _, name := range []string{"site", "director", "other"} {
		daemons[0].Configure(strings.Replace(config(0, talk), `name = "director"`, `name = "`+name+`"`, 1))
		if err := daemons[0].Reload(); err != nil {
			t.Fatal(err)
		}
		if _, err := conversation.Say(5 * time.Second); err != nil {
			t.Fatalf("the connection broke when the group became %s: %v", name, err)
		}
	}
	if log := daemons[0].LogText(); strings.Count(log, "ipvsadm -A ") != 1 || strings.Contains(log, "ipvsadm -D ") {
		t.Errorf("the service was made anew:\n%s", log)
	}
}

// At a clean stop, on_stop = "keep" leaves the services working.
func TestKeepOnStop(t *testing.T) {
	p := lab.NewPair(t, 1)
	daemons := start(t, p, "[lvs]\non_stop = \"keep\"\n"+service("web", web, "[service.check]\ntype = \"none\"\n", rs1))
	awaitTable(t, p.Directors[0], "-A -t "+web, rs1)
	if status := daemons[0].Stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	awaitTable(t, p.Directors[0], "-A -t "+web, rs1)
}
