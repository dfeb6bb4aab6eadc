package integration_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"holdfast/integration/lab"
)

// The program of an alert that runs during an upgrade goes on, and the next alert comes
// after its end.
func TestUpgradeKeepsAlertProgram(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	q := &queued{record: filepath.Join(p.Dir(), "record"), gate: filepath.Join(p.Dir(), "gate")}
	if err := syscall.Mkfifo(q.gate, 0o600); err != nil {
		t.Fatal(err)
	}
	number := filepath.Join(p.Dir(), "number")
	write(t, number, "0")
	script := p.WriteFile("page.sh", `#!/bin/sh
dir=${0%/*}
echo "$*" >>"$dir/record"
[ "$3" = DOWN ] || exit 0
read go <"$dir/gate"
echo "after the upgrade"
echo "DOWN ends with $(head -n 1 | cut -d : -f 1)" >>"$dir/record"
exit 3
`)
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	q.Daemon = p.Directors[0].Holdfast(lab.Director{Priority: 200, Interval: fast, More: `[[track]]
name = "load"
type = "file"
weight = -1
file = "` + number + `"
[[alert]]
name = "ops"
events = ["tracker"]
gather = "100ms"
command = "` + script + `"
`, Options: `track = ["load"]`}.TOML())
	q.AwaitState(t, "MASTER")
	write(t, number, "7")
	q.noted(t, "ALERT ops DOWN 1")
	q.upgraded(t, 1)
	write(t, number, "0")
	q.let(t)
	q.noted(t, "ALERT ops DOWN 1", "DOWN ends with tracker load is DOWN", "ALERT ops UP 1")
	q.loggedAll(t, "after the upgrade", "page.sh: exit status 3")
}
