package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// queued is a director whose script for MASTER runs until the test lets it end, while
// others wait behind it.
type queued struct {
	*lab.Daemon
	host   *lab.Host
	record string // a line for each run of a script
	gate   string // a pipe: the script for MASTER ends when it is written to
}

// noteScript writes down its arguments. That for MASTER waits in between.
const noteScript = `#!/bin/sh
dir=${0%%/*}
echo "$*" >>"$dir/record"
[ "$1 $4" = "own MASTER" ] || exit 0
echo before the upgrade
printf 'half a '
read go <"$dir/gate"
echo line after the upgrade
echo "own MASTER ends" >>"$dir/record"
exit 3
`

func startQueued(t *testing.T, p *lab.Pair) *queued {
	t.Helper()
	q := &queued{host: p.Directors[0], record: filepath.Join(p.Dir(), "record"), gate: filepath.Join(p.Dir(), "gate")}
	if err := syscall.Mkfifo(q.gate, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(p.Dir(), "number"), "0")
	script := p.WriteFile("note.sh", strings.ReplaceAll(noteScript, "%%", "%"))
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	q.Daemon = q.host.Holdfast(q.config(script, "outside"))
	return q
}

func (q *queued) config(script, instance string) string {
	return fmt.Sprintf(`[[vrrp]]
name = %[2]q
interface = "eth0"
vrid = 51
priority = 200
interval = "100ms"
addresses = ["%[3]s/24"]
track = [{ name = "load", weight = -1 }]
[vrrp.notify]
master = [%[1]q, "own"]
fault = [%[1]q, "own"]
priority = [%[1]q, "own"]
any = [%[1]q, "any"]
timeout = "60s"
[[track]]
name = "load"
type = "file"
file = %[4]q
`, script, instance, lab.VIP, filepath.Join(filepath.Dir(q.record), "number"))
}

// fill has three calls wait behind the script that runs.
func (q *queued) fill(t *testing.T) {
	t.Helper()
	q.noted(t, "any INSTANCE outside BACKUP 200", "own INSTANCE outside MASTER 200")
	own := mark(t, q.Daemon)
	write(t, filepath.Join(filepath.Dir(q.record), "number"), "7")
	lab.Wait(t, 10*time.Second, "the new priority", func() (string, bool) {
		j := events(t, q.Daemon, own)
		return fmt.Sprint(j), len(j.Of("priority")) == 1
	})
	q.host.Run("ip", "link", "set", "eth0", "down")
	q.AwaitState(t, "FAULT")
}

// let has the script for MASTER end.
func (q *queued) let(t *testing.T) {
	t.Helper()
	gate, err := os.OpenFile(q.gate, os.O_WRONLY|syscall.O_NONBLOCK, 0) // an error if the script does not read
	if err != nil {
		t.Fatalf("the script does not run any more: %v\n%s", err, q.LogText())
	}
	defer gate.Close()
	if _, err := gate.WriteString("go\n"); err != nil {
		t.Fatal(err)
	}
}

// noted waits until exactly these runs are written down.
func (q *queued) noted(t *testing.T, want ...string) {
	t.Helper()
	lab.Wait(t, 10*time.Second, "the scripts\n"+strings.Join(want, "\n"), func() (string, bool) {
		text, _ := os.ReadFile(q.record)
		return string(text), string(text) == strings.Join(want, "\n")+"\n"
	})
}

var allQueued = []string{
	"any INSTANCE outside BACKUP 200", "own INSTANCE outside MASTER 200", "own MASTER ends", "any INSTANCE outside MASTER 200",
	"own INSTANCE outside PRIORITY 193", "own INSTANCE outside FAULT 193", "any INSTANCE outside FAULT 193",
}

// A script that runs during an upgrade goes on, and the new binary takes its result.
// Those that wait behind it are called by the new binary, once and in their order.
func TestUpgradeKeepsScripts(t *testing.T) {
	t.Parallel()
	q := startQueued(t, lab.NewPair(t, 1))
	q.fill(t)
	begun := time.Now()
	obeyed(t, q.Daemon, "upgrade")
	t.Logf("the upgrade took %v", time.Since(begun))
	q.let(t)
	q.noted(t, allQueued...)
	for _, want := range []string{"before the upgrade", "half a line after the upgrade", `exit status 3`} {
		lab.Wait(t, 5*time.Second, "in the log: "+want, func() (string, bool) { return q.LogText(), strings.Contains(q.LogText(), want) })
	}
	j := events(t, q.Daemon, 0)
	if failed := j.Of("notify"); len(failed) != 1 || !strings.Contains(fmt.Sprint(failed), "exit status 3") {
		t.Errorf("the journal has %v", failed)
	}
}
