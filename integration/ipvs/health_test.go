package ipvs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// A service with too few servers for its quorum is served by both fallbacks, and its
// programs run in order.
func TestQuorum(t *testing.T) {
	p := lab.NewPair(t, 1)
	host := p.Directors[0]
	one := p.Realservers[0].ServeHTTP(rs1)
	p.Realservers[1].ServeHTTP(rs2)
	const sorry, second = "192.168.0.2:8080", "192.168.0.2:8081"
	host.ServeHTTP(sorry)
	host.ServeHTTP(second)
	ran := filepath.Join(p.Dir(), "ran")
	script := p.WriteFile("note.sh", "#!/bin/sh\necho \"$* $HOLDFAST_STATE $HOLDFAST_SERVERS_UP\" >>"+ran+"\n")
	if err := os.Chmod(script, 0o700); err != nil {
		t.Fatal(err)
	}
	options := "quorum = 2\nfallback = [\"" + sorry + "\", \"" + second + "\"]\n" + strings.NewReplacer("500ms", "2s", "400ms", "2s").Replace(check) +
		"[service.notify]\nquorum_up = \"" + script + " up\"\nquorum_down = \"" + script + " down\"\nfallback = \"" + script + "\"\n"
	daemons := start(t, p, service("web", web, options, rs1, rs2))
	awaitTable(t, host, "-r "+rs1, "-r "+rs2, "!"+sorry)
	one.SetStatus(500)
	awaitTable(t, host, "!"+rs1, "!"+rs2, "-r "+sorry+" -m -w 1", "-r "+second+" -m -w 1")
	p.Router.AwaitServers(t, 20*time.Second, web, "lvs1")
	if text, _, _ := daemons[0].CLI("status", "lvs"); !strings.Contains(text, "down: weight 1 of a quorum of 2") {
		t.Errorf("the status does not show the quorum:\n%s", text)
	}
	one.SetStatus(200)
	awaitTable(t, host, "-r "+rs1, "-r "+rs2, "!"+sorry, "!"+second)
	const want = "up SERVICE web UP 2 UP 2\nstop UP 2\ndown SERVICE web DOWN 1 DOWN 1\nstart DOWN 1\nup SERVICE web UP 2 UP 2\nstop UP 2\n"
	lab.Wait(t, 20*time.Second, "the programs of the service", func() (string, bool) {
		text, _ := os.ReadFile(ran) // there is none before the first program
		return string(text), string(text) == want
	})
}

// A drained server keeps its connection and gets no new one, over a crash, an upgrade
// and a reload. drain --wait returns when the connection has ended.
func TestDrain(t *testing.T) {
	p := lab.NewPair(t, 1)
	host := p.Directors[0]
	for _, h := range p.Realservers {
		h.ServeHTTP(":80")
		h.ServeLines(":7")
	}
	dir := filepath.Join(p.Dir(), "maintenance")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	two := "192.168.0.12:7"
	more := "[lvs]\nmaintenance_dir = \"" + dir + "\"\n" + service("web", web, check, rs1, rs2) +
		service("lines", lines, "[service.check]\ntype = \"none\"\n", "192.168.0.11:7", two)
	d := start(t, p, more)[0]
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")
	var talk *lab.Conversation
	say := func() string {
		t.Helper()
		name, err := talk.Say(10 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	for talk = p.Router.Converse(t, lines); say() != "rs2"; talk = p.Router.Converse(t, lines) {
		talk.Close()
	}
	order := func(args ...string) string {
		t.Helper()
		out, stderr, err := d.CLI(args[0], args[1:]...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, stderr)
		}
		return out
	}
	drained := func(when string) {
		t.Helper()
		awaitTable(t, host, "-r "+rs2+" -m -w 0", "-r "+two+" -m -w 0", "-r "+rs1+" -m -w 1")
		p.Router.AwaitServers(t, 20*time.Second, web, "rs1")
		if name := say(); name != "rs2" {
			t.Errorf("%s: the connection is with %s", when, name)
		}
	}
	if out := order("drain", "all", "192.168.0.12", "--for", "1h"); !strings.Contains(out, "lines/"+two+": up, weight 0 of 1, drained by root until ") ||
		!strings.Contains(out, "1 active connections") {
		t.Errorf("drain says:\n%s", out)
	}
	if table := host.Run("ipvsadm", "-Sn"); !strings.Contains(table, "-r "+rs2+" -m -w 0") {
		t.Errorf("drain answered before the kernel had it:\n%s", table)
	}
	drained("at once")
	if _, stderr, err := d.CLI("drain", "lines", two, "--for", "1h", "--wait", "--timeout", "500ms"); err == nil || !strings.Contains(stderr, "1 active connections are left") {
		t.Errorf("drain --wait: %v %s", err, stderr)
	}
	d.Crash()
	d.Restart()
	d.AwaitState(t, "MASTER")
	drained("after a crash")
	order("upgrade")
	drained("after an upgrade")
	if err := d.Reload(); err != nil {
		t.Fatal(err)
	}
	drained("after a reload")
	if text, _, _ := d.CLI("status", "lvs"); strings.Count(text, "drained by root until ") != 2 {
		t.Errorf("the status does not say who drained the servers:\n%s", text)
	}
	talk.Close()
	order("drain", "lines", two, "--wait", "--timeout", "1m")
	order("enable", "all", "192.168.0.12")
	order("weight", "web", rs2, "3")
	awaitTable(t, host, "-r "+rs2+" -m -w 3", "-r "+two+" -m -w 1")

	file := filepath.Join(dir, "192.168.0.11")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	awaitTable(t, host, "-r "+rs1+" -m -w 0", "-r 192.168.0.11:7 -m -w 0")
	p.Router.AwaitServers(t, 20*time.Second, web, "rs2")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	awaitTable(t, host, "-r "+rs1+" -m -w 1", "-r 192.168.0.11:7 -m -w 1")
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")
}

// A persistent client of a server that goes down gets another at its next connection:
// when the server is removed, and also when it is quiesced if the sysctl says so. When
// the server is well again it rises slowly.
func TestPersistentClientsAreFreed(t *testing.T) {
	p := lab.NewPair(t, 1)
	host := p.Directors[0]
	web1, web2 := p.Realservers[0].ServeHTTP(rs1), p.Realservers[1].ServeHTTP(rs2)
	servers := map[string]*lab.Web{"rs1": web1, "rs2": web2}
	address := map[string]string{"rs1": rs1, "rs2": rs2}
	config := func(options string) string {
		return strings.ReplaceAll(service("web", web, "persistence = \"10m\"\nslow_start = \"4s\"\n"+options+check, rs1, rs2), "[[service.server]]", "[[service.server]]\nweight = 4")
	}
	d := start(t, p, config(""))[0]
	awaitTable(t, host, "-r "+rs1+" -m -w 4", "-r "+rs2+" -m -w 4")
	ask := func() string {
		t.Helper()
		_, name, err := p.Router.Get(web, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	freed := func(how, gone string) {
		t.Helper()
		first := ask()
		if again := ask(); again != first {
			t.Fatalf("%s: the client has no persistence: %s, then %s", how, first, again)
		}
		servers[first].SetStatus(500)
		awaitTable(t, host, strings.ReplaceAll(gone, "ADDRESS", address[first]))
		if second := ask(); second == first {
			t.Errorf("%s: the client is still with %s", how, first)
		}
		servers[first].SetStatus(200)
		awaitTable(t, host, "-r "+address[first]+" -m -w 1")
		awaitTable(t, host, "-r "+address[first]+" -m -w 4")
	}
	freed("removed", "!ADDRESS")
	d.Configure(lab.Director{Priority: 200, Interval: 200 * time.Millisecond, More: "[lvs.sysctl]\nexpire_quiescent_template = 1\n" + config("on_down = \"quiesce\"\n")}.TOML())
	if err := d.Reload(); err != nil {
		t.Fatal(err)
	}
	freed("quiesced", "-r ADDRESS -m -w 0")
}
