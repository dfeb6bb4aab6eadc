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

// A program that runs during an upgrade goes on, and is ended when its own time is over.
func TestUpgradeKeepsTimeouts(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	file := filepath.Join(p.Dir(), "pid")
	script := p.WriteFile("hangs.sh", "#!/bin/sh\necho $$ >"+file+"\nwhile :; do sleep 1000; done\n")
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	notify := fmt.Sprintf("notify = { master = { command = [%q], timeout = \"4s\" } }\n", script)
	daemon := p.Directors[0].Holdfast(lab.Director{Priority: 200, Interval: fast, More: notify}.TOML())
	daemon.AwaitState(t, "MASTER")
	pid := ""
	lab.Wait(t, 10*time.Second, "the program", func() (string, bool) {
		text, _ := os.ReadFile(file)
		pid = strings.TrimSpace(string(text))
		return "", pid != ""
	})
	begun := time.Now()
	obeyed(t, daemon, "upgrade")
	exists := func() bool { _, err := os.Stat("/proc/" + pid); return err == nil }
	if !exists() && time.Since(begun) < 3*time.Second {
		t.Fatal("the upgrade ended the program")
	}
	lab.Wait(t, 20*time.Second, "the end of the program", func() (string, bool) { return "", !exists() })
	lab.Wait(t, 5*time.Second, "the new binary says why", func() (string, bool) {
		failed := fmt.Sprint(events(t, daemon, 0).Of("notify"))
		return failed, strings.Contains(failed, "timed out after 4s")
	})
}
