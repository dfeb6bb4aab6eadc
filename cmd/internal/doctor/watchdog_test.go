package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWatchdog(t *testing.T) {
	fed := strings.Replace(base, "[director]", "[director]\nwatchdog = \"/dev/watchdog\"", 1)
	run(t, judgeWatchdog, []lookCase[watchdogFacts]{
		{name: "none"},
		{name: "well", config: fed, facts: watchdogFacts{Path: "/dev/watchdog", Exists: true, IsDevice: true}},
		{name: "missing", config: fed, facts: watchdogFacts{Path: "/dev/watchdog"}, want: []string{"error: there is no watchdog /dev/watchdog"}},
		{name: "a file", config: fed, facts: watchdogFacts{Path: "/dev/watchdog", Exists: true}, want: []string{"error: /dev/watchdog is not a device"}},
		{name: "in use, for ever", config: fed, facts: watchdogFacts{Path: "/dev/watchdog", Exists: true, IsDevice: true, Holder: "systemd (pid 1)", NoWayOut: true},
			want: []string{"error: systemd (pid 1) has /dev/watchdog open", "note: /dev/watchdog cannot be disarmed (nowayout)"}},
	})
}

// The daemon may have the watchdog open, and nobody else.
func TestWatchdogHolder(t *testing.T) {
	proc := t.TempDir()
	for pid, target := range map[string]string{"1": "/dev/watchdog0", "7": "/dev/null"} {
		dir := filepath.Join(proc, pid)
		if err := os.MkdirAll(filepath.Join(dir, "fd"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(dir, "fd", "5")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "comm"), []byte("init\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		number string
		daemon int
		want   string
	}{
		{"0", 7, "init (pid 1)"},
		{"1", 7, ""},
		{"0", 1, ""},
	} {
		if got := watchdogHolder(proc, c.number, c.daemon); got != c.want {
			t.Errorf("watchdog %s beside process %d is held by %q, want %q", c.number, c.daemon, got, c.want)
		}
	}
}

// A link has the number of the device that it leads to, whatever the two are called.
func TestWatchdogNumber(t *testing.T) {
	dev := t.TempDir()
	for _, device := range []string{"watchdog0", "watchdog1"} {
		if err := os.WriteFile(filepath.Join(dev, device), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"watchdog": "watchdog1", "watchdog-bmc": "watchdog0", "wd": "watchdog"} {
		if err := os.Symlink(target, filepath.Join(dev, link)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"watchdog0": "0", "watchdog1": "1", "watchdog": "1", "watchdog-bmc": "0", "wd": "1"} {
		if got := watchdogNumber(filepath.Join(dev, name)); got != want {
			t.Errorf("%s has the number %s, want %s", name, got, want)
		}
	}
	if got := watchdogNumber("/dev/no/such/watchdog"); got != "0" {
		t.Errorf("a device that is not there has the number %s", got)
	}
}
