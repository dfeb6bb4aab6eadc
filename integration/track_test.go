package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// A tracked director has something that can be made unwell.
type tracked struct {
	name    string
	weights []int
	table   string                                      // [[track]] named "well", with DIR for a folder of the test
	prepare func(t *testing.T, dir string, p *lab.Pair) // nil: there is nothing to prepare
	spoil   func(t *testing.T, dir string, p *lab.Pair)
	mend    func(t *testing.T, dir string, p *lab.Pair)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

var trackers = []tracked{
	{
		name:    "script",
		weights: []int{0, -60},
		table:   "type = \"script\"\ninterval = \"100ms\"\ntimeout_fall = 50\ncommand = \"/usr/bin/test ! -e DIR/sick\"\n",
		spoil:   func(t *testing.T, dir string, _ *lab.Pair) { write(t, filepath.Join(dir, "sick"), "") },
		mend: func(t *testing.T, dir string, _ *lab.Pair) {
			if err := os.Remove(filepath.Join(dir, "sick")); err != nil {
				t.Fatal(err)
			}
		},
	},
	{
		// The next look is in an hour: inotify reports the change.
		name:    "file",
		weights: []int{0, -60},
		table:   "type = \"file\"\ninterval = \"1h\"\nfile = \"DIR/number\"\n",
		spoil:   func(t *testing.T, dir string, _ *lab.Pair) { write(t, filepath.Join(dir, "number"), "1") },
		mend:    func(t *testing.T, dir string, _ *lab.Pair) { write(t, filepath.Join(dir, "number"), "0") },
	},
	{
		// As above: the kernel reports it.
		name:    "interface",
		weights: []int{0},
		table:   "type = \"interface\"\ninterval = \"1h\"\ninterface = \"uplink\"\n",
		spoil:   func(_ *testing.T, _ string, p *lab.Pair) { p.Directors[0].Run("ip", "link", "set", "far", "down") },
		mend:    func(_ *testing.T, _ string, p *lab.Pair) { p.Directors[0].Run("ip", "link", "set", "far", "up") },
	},
	{
		name:    "neighbour",
		weights: []int{0},
		table:   "type = \"neighbour\"\ninterval = \"100ms\"\ninterface = \"eth1\"\naddress = \"192.168.0.77\"\n",
		spoil: func(_ *testing.T, _ string, p *lab.Pair) {
			p.Realservers[0].Run("ip", "address", "del", "192.168.0.77/24", "dev", "eth0")
		},
		mend: func(_ *testing.T, _ string, p *lab.Pair) { p.Realservers[0].Address("eth0", "192.168.0.77/24") },
	},
	{
		name:    "ping",
		weights: []int{-60},
		table:   "type = \"ping\"\ninterval = \"100ms\"\naddress = \"10.77.0.1\"\n",
		spoil: func(_ *testing.T, _ string, p *lab.Pair) {
			p.Realservers[0].Run("ip", "address", "del", "10.77.0.1/32", "dev", "lo")
		},
		mend: func(_ *testing.T, _ string, p *lab.Pair) { p.Realservers[0].Address("lo", "10.77.0.1/32") },
	},
	{
		name:    "process",
		weights: []int{0, -60},
		table:   "type = \"process\"\ninterval = \"100ms\"\nprocess = \"tail\"\nparameters = [\"-f\", \"DIR/alive\"]\n",
		prepare: follow,
		spoil: func(_ *testing.T, dir string, _ *lab.Pair) {
			process, _ := followers.Load(dir)
			process.(*lab.Process).Crash()
		},
		mend: follow,
	},
	{
		name:    "route",
		weights: []int{0},
		table:   "type = \"route\"\ninterval = \"1h\"\nroute = \"10.77.0.0/16\"\ninterface = \"eth1\"\n",
		spoil: func(_ *testing.T, _ string, p *lab.Pair) {
			p.Directors[0].Run("ip", "route", "del", "10.77.0.0/16")
		},
		mend: func(_ *testing.T, _ string, p *lab.Pair) { p.Directors[0].Route("10.77.0.0/16", "192.168.0.11") },
	},
}

// followers are the processes that are tracked, by the folder of their test.
var followers sync.Map

func follow(t *testing.T, dir string, p *lab.Pair) {
	t.Helper()
	write(t, filepath.Join(dir, "alive"), "")
	followers.Store(dir, p.Directors[0].Start("tail", "-f", filepath.Join(dir, "alive")))
}

// A tracker moves its group: with weight 0 by a fault, otherwise by lowering the
// priority below the other director's.
func TestTracking(t *testing.T) {
	t.Parallel()
	for _, k := range trackers {
		for _, weight := range k.weights {
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
	p.Realservers[0].Address("eth0", "192.168.0.77/24")
	p.Realservers[0].Address("lo", "10.77.0.1/32")
	p.Directors[0].Route("10.77.0.0/16", "192.168.0.11")
	if k.prepare != nil {
		k.prepare(t, dir, p)
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

	k.spoil(t, dir, p)
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

	k.mend(t, dir, p)
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

// An instance does not become MASTER before the state of its trackers is known.
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

// A new binary starts with the states of trackers that the old one knew. A tracker
// with an interval of five seconds delays nothing, and no priority goes up and down.
func TestUpgradeKeepsTrackers(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	dir := filepath.Join(p.Dir(), "tracked")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	// Each look takes longer than any of the three intervals after which a BACKUP
	// would take over.
	write(t, filepath.Join(dir, "slow.sh"), "sleep 1\ntest ! -e "+filepath.Join(dir, "$1")+"\n")
	write(t, filepath.Join(dir, "sick"), "")
	table := func(name, file string, weight int) string {
		return fmt.Sprintf("[[track]]\nname = %q\ntype = \"script\"\ninterval = \"5s\"\nfall = 1\nweight = %d\ncommand = \"/bin/sh %s %s\"\n",
			name, weight, filepath.Join(dir, "slow.sh"), file)
	}
	more := "track = [\"well\", \"tired\"]\n" + table("well", "none", 0) + table("tired", "sick", -40)
	one := p.Directors[0].Holdfast(lab.Director{Priority: 200, Interval: fast, More: more}.TOML())
	one.AwaitState(t, "MASTER")
	one.Await(t, "both verdicts", func(lab.Status) (string, bool) {
		text, _, _ := one.CLI("status", "vrrp")
		return text, strings.Contains(text, "160 of 200")
	})
	two := p.Directors[1].Holdfast(lab.Director{Priority: 100, Interval: fast, Options: "preempt = true"}.TOML())
	two.AwaitState(t, "BACKUP")
	v := keepVigil(t, p)
	own, others := mark(t, one), mark(t, two)
	capture := p.Directors[0].Wires["eth0"].Capture()
	var before, after struct {
		Trackers []struct {
			Name  string    `json:"name"`
			State string    `json:"state"`
			Since time.Time `json:"since"`
			Looks int       `json:"looks"`
		} `json:"trackers"`
	}
	if err := one.StatusInto(&before); err != nil {
		t.Fatal(err)
	}
	obeyed(t, one, "upgrade")
	lab.Wait(t, 20*time.Second, "the new binary answers", func() (string, bool) {
		j, err := one.Events(0)
		return fmt.Sprint(j, err), err == nil && len(j.Of("director")) == 1
	})
	if err := one.StatusInto(&after); err != nil {
		t.Fatal(err)
	}
	for i, k := range before.Trackers {
		if a := after.Trackers[i]; a.State != k.State || !a.Since.Equal(k.Since) || a.Looks < k.Looks {
			t.Errorf("before the upgrade %+v, after it %+v", k, a)
		}
	}
	adverts(t, p.Directors[0], 20) // until well after the first look
	for _, f := range capture.Frames(lab.Advertised(51)) {
		if a, _ := f.Advert(); a.Priority != 160 {
			t.Fatalf("an advert with priority %d", a.Priority)
		}
	}
	if moved := events(t, one, own).Of("tracker", "priority"); len(moved) > 0 {
		t.Errorf("after the upgrade:\n%v", moved)
	}
	stayed(t, "the upgraded director", one, own)
	stayed(t, "the BACKUP", two, others)
	v.end(t)
}

// An instance that starts, also after a crash, does not take over with a priority that
// its trackers do not allow: it waits for them, or knows their state from before.
func TestStartKeepsPriority(t *testing.T) {
	t.Parallel()
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprintf("crash %v", crash), func(t *testing.T) {
			t.Parallel()
			p := lab.NewPair(t, 2)
			dir := filepath.Join(p.Dir(), "tracked")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "slow.sh"), "sleep 1\nexit 1\n")
			more := fmt.Sprintf("track = [\"tired\"]\n[[track]]\nname = \"tired\"\ntype = \"script\"\nweight = -40\n"+
				"interval = \"2s\"\nfall = 1\ncommand = \"/bin/sh %s/slow.sh\"\n", dir)
			better := p.Directors[1].NewDaemon(lab.Director{Priority: 180, Interval: fast}.TOML())
			if !crash {
				better.Restart()
				better.AwaitState(t, "MASTER")
			}
			capture := p.Directors[0].Wires["eth0"].Capture()
			tired := p.Directors[0].Holdfast(lab.Director{Priority: 200, Interval: fast, More: more}.TOML())
			if crash {
				tired.AwaitState(t, "MASTER")
				tired.Crash()
				better.Restart()
				better.AwaitState(t, "MASTER")
				tired.Restart()
			}
			tired.AwaitState(t, "BACKUP")
			tired.Await(t, "the verdict", func(lab.Status) (string, bool) {
				text, _, _ := tired.CLI("status", "vrrp")
				return text, strings.Contains(text, "160 of 200")
			})
			for _, f := range capture.Frames(lab.Advertised(51)) {
				if a, _ := f.Advert(); a.Priority != 160 {
					t.Fatalf("an advert with priority %d", a.Priority)
				}
			}
			if moved := events(t, better, 0).Of("group"); len(moved) != 2 || moved[1].To != "MASTER" {
				t.Errorf("the director of priority 180 did not just become MASTER:\n%v", moved)
			}
		})
	}
}
