package integration_test

import (
	"os"
	"strings"
	"testing"

	"holdfast/integration/lab"
)

// Programs run as the user that the configuration names. A program that another
// user could have written is not run: check warns of it, and the daemon reports it in
// the log and the journal each time.
func TestProgramUsers(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	if err := os.Chmod(p.Dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	record := p.WriteFile("users", "")
	if err := os.Chmod(record, 0o666); err != nil {
		t.Fatal(err)
	}
	script := p.WriteFile("user.sh", "#!/bin/sh\necho \"$1 $2 $3 $(id -u):$(id -g)\" >>"+record+"\n")
	theirs := p.WriteFile("theirs.sh", "#!/bin/sh\necho theirs >>"+record+"\n")
	for _, file := range []string{script, theirs} {
		if err := os.Chmod(file, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(theirs, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	config := `script = { user = "nobody" }
[[vrrp]]
name = "a"
interface = "eth0"
vrid = 51
priority = 200
interval = "100ms"
addresses = ["10.0.0.100/24"]
[vrrp.notify]
backup = "` + script + `"
master = { command = "` + script + `", user = "root" }
stop = { command = "` + theirs + `", user = "root" }
`
	d := p.Directors[0].NewDaemon(config)
	const complaint = "is writable by user 65534 (mode 0755)"
	if out, warning, err := d.CLI("check"); err != nil || !strings.Contains(warning, "vrrp.a.notify.stop: warning: script "+theirs+" "+complaint) {
		t.Errorf("check: %v\n%s%s", err, out, warning)
	}
	d.Restart()
	d.AwaitState(t, "MASTER")
	if status := d.Stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	text, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	if want := "INSTANCE a BACKUP 65534:65534\nINSTANCE a MASTER 0:0\n"; string(text) != want {
		t.Errorf("scripts ran:\n%swant:\n%s", text, want)
	}
	if n := strings.Count(d.LogText(), complaint); n != 2 {
		t.Errorf("the log has the message %d times, want once at the start and once when it would have run:\n%s", n, d.LogText())
	}
}
