package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/integration/lab"
)

// A tracked director has something that can be made unwell.
type tracked struct {
	name  string
	table string // [[track]] named "well", with DIR for a folder of the test
	spoil func(t *testing.T, dir string, h *lab.Host)
	mend  func(t *testing.T, dir string, h *lab.Host)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

var trackers = []tracked{
	{
		name:  "script",
		table: "type = \"script\"\ninterval = \"100ms\"\ncommand = \"/usr/bin/test ! -e DIR/sick\"\n",
		spoil: func(t *testing.T, dir string, _ *lab.Host) { write(t, filepath.Join(dir, "sick"), "") },
		mend: func(t *testing.T, dir string, _ *lab.Host) {
			if err := os.Remove(filepath.Join(dir, "sick")); err != nil {
				t.Fatal(err)
			}
		},
	},
	{
		// An hour until the next look: inotify tells.
		name:  "file",
		table: "type = \"file\"\ninterval = \"1h\"\nfile = \"DIR/number\"\n",
		spoil: func(t *testing.T, dir string, _ *lab.Host) { write(t, filepath.Join(dir, "number"), "1") },
		mend:  func(t *testing.T, dir string, _ *lab.Host) { write(t, filepath.Join(dir, "number"), "0") },
	},
	{
		// As above: the kernel tells.
		name:  "interface",
		table: "type = \"interface\"\ninterval = \"1h\"\ninterface = \"uplink\"\n",
		spoil: func(_ *testing.T, _ string, h *lab.Host) { h.Run("ip", "link", "set", "far", "down") },
		mend:  func(_ *testing.T, _ string, h *lab.Host) { h.Run("ip", "link", "set", "far", "up") },
	},
}

// What a group tracks moves it: with weight 0 by a fault, otherwise by the
// priority, which then is below the other director's.
func TestTracking(t *testing.T) {
	for _, k := range trackers {
		for _, weight := range []int{0, -60} {
			t.Run(fmt.Sprintf("%s/%d", k.name, weight), func(t *testing.T) {
				t.Parallel()
				testTracking(t, k, weight)
			})
		}
	}
}

func testTracking(t *testing.T, k tracked, weight int) {
	p := lab.NewPair(t, 2)
	dir := filepath.Join(p.Dir(), "tracked")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, h := range p.Directors {
		h.Run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "far")
		h.Run("ip", "link", "set", "far", "up")
		h.Run("ip", "link", "set", "uplink", "up")
	}
	macs := watchMACs(p, false)
	first := p.Directors[0]
	more := fmt.Sprintf("track = [{ name = \"well\", weight = %d }]\n[[track]]\nname = \"well\"\n", weight) +
		strings.ReplaceAll(k.table, "DIR", dir)
	one := first.Holdfast(lab.Director{Priority: priorities[0], Interval: fast, More: more}.TOML())
	one.AwaitState(t, "MASTER")
	two := p.Directors[1].Holdfast(lab.Director{Priority: priorities[1], Interval: fast}.TOML())
	two.AwaitState(t, "BACKUP")
	load := startTraffic(t, p, false)

	k.spoil(t, dir, first)
	two.AwaitState(t, "MASTER")
	if weight == 0 {
		one.AwaitState(t, "FAULT")
	} else {
		one.AwaitState(t, "BACKUP")
	}
	load.flows(t)
	// What a reload does not change stays as it is.
	if err := one.Reload(); err != nil {
		t.Errorf("reload: %v", err)
	}
	two.AwaitState(t, "MASTER")
	text, _, _ := one.CLI("status") // exits with 1 in FAULT
	if want := "tracker well is down: "; weight == 0 && !strings.Contains(text, want) {
		t.Errorf("the status does not say %q:\n%s", want, text)
	}
	if want := "140 of 200"; weight != 0 && !strings.Contains(text, want) {
		t.Errorf("the status does not say %q:\n%s", want, text)
	}

	k.mend(t, dir, first)
	one.AwaitState(t, "MASTER")
	two.AwaitState(t, "BACKUP")
	load.flows(t)
	load.stop(t)
	macs.check(t)
	events, _, err := one.CLI("events")
	for _, want := range []string{" tracker well unknown -> up", " tracker well up -> down: ", " tracker well down -> up"} {
		if err != nil || !strings.Contains(events, want) {
			t.Errorf("the events do not have %q (%v):\n%s", want, err, events)
		}
	}
}

// An instance does not become MASTER before what it tracks is known.
func TestTrackingAtStart(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	dir := filepath.Join(p.Dir(), "tracked")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "sick"), "")
	more := "track = [\"well\"]\n[[track]]\nname = \"well\"\nfall = 20\n" + strings.ReplaceAll(trackers[0].table, "DIR", dir)
	capture := p.Directors[0].Wires["eth0"].Capture()
	d := p.Directors[0].Holdfast(lab.Director{Priority: 200, Interval: fast, More: more}.TOML())
	d.AwaitState(t, "FAULT")
	d.Await(t, "the verdict", func(lab.Status) (string, bool) {
		text, _, _ := d.CLI("status")
		return text, strings.Contains(text, "tracker well is down: exit status 1")
	})
	if n := capture.Count(lab.Advertised(51)); n != 0 {
		t.Errorf("%d adverts before anything was known", n)
	}
	if err := os.Remove(filepath.Join(dir, "sick")); err != nil {
		t.Fatal(err)
	}
	d.AwaitState(t, "MASTER")
}
