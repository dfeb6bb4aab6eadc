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

// A MASTER that vanishes is fenced before its addresses are taken over; while that fails
// nothing is taken over. One that hands over, or stops, is not fenced.
func TestFence(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	dir := filepath.Join(p.Dir(), "fence")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	log, works := filepath.Join(dir, "log"), filepath.Join(dir, "works")
	script := filepath.Join(dir, "script")
	text := fmt.Sprintf("#!/bin/sh\necho \"$HOLDFAST_NODE $HOLDFAST_ADDRESS\" >>%s\n[ -e %s ]\n", log, works)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	fence := fmt.Sprintf("[group.fence]\ncommand = %q\nnode = \"lvs1\"\nretries = 1\n", script)
	one := p.Directors[0].Holdfast(lab.Director{Priority: 150, Interval: fast, Options: "preempt = false", More: fence}.TOML())
	one.AwaitState(t, "MASTER")
	two := p.Directors[1].Holdfast(lab.Director{Priority: 100, Interval: fast, Options: "preempt = false", More: fence}.TOML())
	two.AwaitState(t, "BACKUP")
	obeyed(t, one, "handover")
	two.AwaitState(t, "MASTER")
	obeyed(t, two, "handover")
	one.AwaitState(t, "MASTER")
	two.AwaitState(t, "BACKUP")
	if b, err := os.ReadFile(log); err == nil {
		t.Errorf("a handover fenced: %s", b)
	}

	for _, wire := range p.Directors[0].Wires {
		wire.BlackHole()
	}
	one.Crash()
	said := func(want string, n int) {
		t.Helper()
		lab.Wait(t, 30*time.Second, fmt.Sprintf("fencing has %s %d times", want, n), func() (string, bool) {
			j, err := two.Events(0)
			text := fmt.Sprint(j.Of("fence"), err)
			return text, strings.Count(text, "fence lvs1 ->"+want) >= n || strings.Count(text, "fence lvs1->"+want) >= n
		})
	}
	said("failed", 2)
	two.AwaitState(t, "BACKUP")
	text2, _, _ := two.CLI("status")
	if want := "node lvs1 could not be fenced, and director is not taken over"; !strings.Contains(text2, want) {
		t.Errorf("the status does not say %q:\n%s", want, text2)
	}
	write(t, works, "")
	said("fenced", 1)
	two.AwaitState(t, "MASTER")
	b, err := os.ReadFile(log)
	if lines := strings.Fields(string(b)); err != nil || lines[0] != "lvs1" || lines[1] != "10.0.0.2" && lines[1] != "192.168.0.2" {
		t.Errorf("the fence program was called with %s (%v)", b, err)
	}
	text2, _, _ = two.CLI("status")
	if strings.Contains(text2, "could not be fenced") {
		t.Errorf("the status says still that fencing failed:\n%s", text2)
	}
}
