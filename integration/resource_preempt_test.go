package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// A director with a preempt_command does not take over from a MASTER of a lower priority
// before what runs there has stopped.
func TestPreemptCommandStopsResourcesFirst(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	log := filepath.Join(p.Dir(), "log")
	script := p.WriteFile("resource.sh", "#!/bin/sh\necho \"$HOLDFAST_DIRECTOR $HOLDFAST_ACTION begins\" >>"+log+
		"\n[ $HOLDFAST_ACTION = start ] || sleep 0.5\necho \"$HOLDFAST_DIRECTOR $HOLDFAST_ACTION ends\" >>"+log+"\n")
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	resource := fmt.Sprintf("[[group.resource]]\nname = \"job\"\ntype = \"command\"\nstart = %q\nstop = %[1]q\n", script)
	other := p.Directors[1].Holdfast(lab.Director{Priority: 100, Interval: fast, More: resource}.TOML())
	noted := func(want ...string) {
		t.Helper()
		lab.Wait(t, 20*time.Second, strings.Join(want, ", "), func() (string, bool) {
			text, _ := os.ReadFile(log)
			return string(text), strings.TrimSpace(string(text)) == strings.Join(want, "\n")
		})
	}
	noted("lvs2 start begins", "lvs2 start ends")

	probe := p.Router.Probe(lab.VIP, time.Millisecond)
	probe.AwaitAnswers(t, 20*time.Second, 20)
	command := fmt.Sprintf("preempt_command = [%q, \"handover\", \"director\", \"--socket\", %q]\n", other.Binary(), filepath.Join(other.RuntimeDir(), "control.sock"))
	returned := p.Directors[0].Holdfast(lab.Director{Priority: 200, Interval: fast, More: command + resource}.TOML())
	returned.AwaitState(t, "MASTER")
	other.AwaitState(t, "BACKUP")
	noted("lvs2 start begins", "lvs2 start ends", "lvs2 stop begins", "lvs2 stop ends", "lvs1 start begins", "lvs1 start ends")
	if tally := probe.Stop(); tally.Lost > 0 {
		t.Errorf("while the directors changed: %v", tally)
	}
}
