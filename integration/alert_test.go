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
	if _, stderr, err := daemon.CLI("ack", "inside"); err == nil || !strings.Contains(stderr, `"inside": no alert of such a subject is open`) {
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
