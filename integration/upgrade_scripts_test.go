package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
	script string
}

// noteScript writes down its arguments. That for MASTER waits in between.
const noteScript = `#!/bin/sh
dir=${0%/*}
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
	q.script = p.WriteFile("note.sh", noteScript)
	if err := os.Chmod(q.script, 0o755); err != nil {
		t.Fatal(err)
	}
	q.Daemon = q.host.NewDaemon(q.config("outside"))
	q.Own()
	q.Restart()
	return q
}

func (q *queued) config(instance string) string {
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
`, q.script, instance, lab.VIP, filepath.Join(filepath.Dir(q.record), "number"))
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
	var gate *os.File
	lab.Wait(t, 10*time.Second, "the script reads", func() (string, bool) {
		var err error
		gate, err = os.OpenFile(q.gate, os.O_WRONLY|syscall.O_NONBLOCK, 0) // an error if nobody reads
		return fmt.Sprint(err), err == nil
	})
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

// heard checks that the script for MASTER was heard to its end.
func (q *queued) heard(t *testing.T) {
	t.Helper()
	q.loggedAll(t, "before the upgrade", "half a line after the upgrade", "exit status 3")
	lab.Wait(t, 5*time.Second, "the failure of one script in the journal", func() (string, bool) {
		failed := events(t, q.Daemon, 0).Of("notify")
		return fmt.Sprint(failed), len(failed) == 1 && strings.Contains(fmt.Sprint(failed), "exit status 3")
	})
}

// loggedAll waits until the log says everything.
func (q *queued) loggedAll(t *testing.T, wants ...string) {
	t.Helper()
	for _, want := range wants {
		lab.Wait(t, 5*time.Second, "in the log: "+want, func() (string, bool) { return q.LogText(), strings.Contains(q.LogText(), want) })
	}
}

// upgraded has the binary replaced, and waits until the new one answers.
func (q *queued) upgraded(t *testing.T, times int) {
	t.Helper()
	obeyed(t, q.Daemon, "upgrade")
	lab.Wait(t, 10*time.Second, "the new binary answers", func() (string, bool) {
		j, err := q.Events(0)
		return fmt.Sprint(j, err), err == nil && len(j.Of("director")) == times
	})
}

// A script that runs during an upgrade goes on, and the new binary takes its result.
// Those that wait behind it are called by the new binary, once and in their order. Two
// upgrades are as one.
func TestUpgradeKeepsScripts(t *testing.T) {
	t.Parallel()
	q := startQueued(t, lab.NewPair(t, 1))
	q.fill(t)
	q.upgraded(t, 1)
	q.upgraded(t, 2)
	q.let(t)
	q.noted(t, allQueued...)
	q.heard(t)
	q.host.Run("ip", "link", "set", "eth0", "up")
	q.noted(t, append(slices.Clone(allQueued), "any INSTANCE outside BACKUP 193", "own INSTANCE outside MASTER 193")...)
	q.let(t)
}

// Scripts that wait are called also if the new binary's configuration does not have their
// virtual router under that name any more. The log says so.
func TestUpgradeKeepsScriptsOfWhatIsGone(t *testing.T) {
	t.Parallel()
	q := startQueued(t, lab.NewPair(t, 1))
	q.fill(t)
	q.Configure(q.config("renamed"))
	q.upgraded(t, 1)
	lab.Wait(t, 10*time.Second, "the fault of the renamed router", func() (string, bool) {
		text, _ := os.ReadFile(q.record)
		return string(text), strings.Contains(string(text), "any INSTANCE renamed FAULT 193")
	})
	q.let(t)
	mine := func() (lines []string) {
		text, _ := os.ReadFile(q.record)
		for line := range strings.Lines(string(text)) {
			if !strings.Contains(line, "renamed") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
		return lines
	}
	lab.Wait(t, 10*time.Second, "all scripts of before", func() (string, bool) {
		return fmt.Sprint(mine()), slices.Equal(mine(), allQueued)
	})
	if n := strings.Count(q.LogText(), "a script is run that is not configured any more"); n != 5 {
		t.Errorf("the log says it of %d scripts, want 5:\n%s", n, q.LogText())
	}
}

// When the new binary cannot be run after all, the old one goes on with its scripts.
func TestFailedUpgradeKeepsScripts(t *testing.T) {
	t.Parallel()
	q := startQueued(t, lab.NewPair(t, 1))
	q.fill(t)
	good := filepath.Join(filepath.Dir(q.record), "good")
	if err := os.Link(q.Binary(), good); err != nil {
		t.Fatal(err)
	}
	vanishes := filepath.Join(filepath.Dir(q.record), "vanishes")
	write(t, vanishes, "#!/bin/sh\nrm \"$0\"\n") // once it has accepted the configuration
	q.Install(vanishes)
	if complaint := refused(t, q.As(good), "upgrade"); !strings.Contains(complaint, "the upgrade failed: run "+q.Binary()) {
		t.Errorf("upgrade says %q", complaint)
	}
	q.Install(good)
	q.let(t)
	q.noted(t, allQueued...)
	q.heard(t)
}
