package integration_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// An instance that fails makes one alert, repeated until somebody acknowledges it,
// and one of its recovery. A restart of the daemon tells nothing a second time.
func TestAlert(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	host := p.Directors[0]
	record := p.WriteFile("record", "")
	script := p.WriteFile("page.sh", "#!/bin/sh\n{ echo \"$*\"; cat; } >>"+record+"\n")
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	read := func() []string {
		text, err := os.ReadFile(record)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	calls := func(what string) int {
		return len(slices.DeleteFunc(read(), func(line string) bool { return line != what }))
	}
	daemon := host.Holdfast(`[[vrrp]]
name = "outside"
interface = "eth0"
vrid = 51
priority = 200
interval = "100ms"
addresses = ["10.0.0.100/24"]
[[alert]]
name = "ops"
gather = "100ms"
every = "300ms"
command = "` + script + `"
`)
	daemon.AwaitState(t, "MASTER")

	host.Wires["eth0"].Cut()
	const down, up = "ALERT ops DOWN 1", "ALERT ops UP 1"
	lab.Wait(t, 10*time.Second, "two alerts", func() (string, bool) { return strings.Join(read(), "\n"), calls(down) >= 2 })
	if lines := read(); !strings.HasPrefix(lines[1], "instance outside is DOWN: ") {
		t.Errorf("the text is %q", lines[1])
	}
	out, stderr, err := daemon.CLI("ack", "outside", "--by", "jane")
	if err != nil || out != "outside\n" {
		t.Fatalf("ack: %v, %q, %s", err, out, stderr)
	}
	if _, stderr, err := daemon.CLI("ack", "inside"); err == nil || !strings.Contains(stderr, `no rule for alerts reports a failure of "inside" now`) {
		t.Errorf("ack of nothing: %v, %q", err, stderr)
	}
	status, _, _ := daemon.CLI("status")
	if !strings.Contains(status, "ALERTS") || !strings.Contains(status, "jane") {
		t.Errorf("the status has no acknowledged alert:\n%s", status)
	}

	daemon.Stop()
	said := calls(down)
	daemon.Restart()
	daemon.Await(t, "instance in FAULT", func(s lab.Status) (string, bool) { return s.States()["outside"], s.States()["outside"] == "FAULT" })
	host.Wires["eth0"].Replug()
	lab.Wait(t, 10*time.Second, "the recovery", func() (string, bool) { return strings.Join(read(), "\n"), calls(up) == 1 })
	if again := calls(down); again != said {
		t.Errorf("after the acknowledgement and the restart there were %d more alerts", again-said)
	}
}

// A rule goes on as before over an upgrade, also one that follows a group, and what a
// reload or a restart removed does not fail for ever.
func TestAlertOverUpgradeAndRemoval(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	record, bad := p.WriteFile("record", ""), p.WriteFile("bad", "")
	script := p.WriteFile("page.sh", "#!/bin/sh\ncat >>"+record+"\n")
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	config := func(trackers ...string) string {
		text := `[[vrrp]]
name = "outside"
interface = "eth0"
vrid = 51
interval = "100ms"
addresses = ["10.0.0.100/24"]
[[group]]
name = "director"
members = ["outside"]
[[alert]]
name = "ops"
events = ["tracker"]
follow = "director"
gather = "100ms"
command = "` + script + `"
`
		for _, name := range trackers {
			text += `[[track]]
name = "` + name + `"
type = "script"
command = ["/bin/sh", "-c", "! grep -q ` + name + ` ` + bad + `"]
interval = "100ms"
`
		}
		return text
	}
	told := func(what string) {
		t.Helper()
		lab.Wait(t, 10*time.Second, what, func() (string, bool) {
			text, err := os.ReadFile(record)
			return string(text), err == nil && strings.Contains(string(text), what)
		})
	}
	fail := func(names string) {
		if err := os.WriteFile(bad, []byte(names), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	daemon := p.Directors[0].Holdfast(config("disk", "power", "fan"))
	daemon.AwaitState(t, "MASTER")
	if _, stderr, err := daemon.CLI("upgrade"); err != nil {
		t.Fatalf("upgrade: %v\n%s", err, stderr)
	}
	fail("disk power")
	told("tracker disk is DOWN")
	told("tracker power is DOWN")

	daemon.Configure(config("power", "fan"))
	if err := daemon.Reload(); err != nil {
		t.Fatal(err)
	}
	told("tracker disk is well again")

	daemon.Stop()
	daemon.Configure(config("fan"))
	daemon.Restart()
	told("tracker power is well again")
}
