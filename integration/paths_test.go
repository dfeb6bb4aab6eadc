package integration_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// twoPaths is the configuration of a virtual router of which the adverts also go by the
// inner wire.
func twoPaths(version, priority int, options, also string) string {
	return outside(version, priority, options+"\n[[vrrp.also]]\ninterface = \"eth1\"\n"+also)
}

// statusOfPaths is the part of the status that is about paths.
type statusOfPaths struct {
	VRRP []struct {
		Paths []struct {
			AdvertsReceived uint64            `json:"adverts_received"`
			Copies          uint64            `json:"copies"`
			Dropped         map[string]uint64 `json:"dropped"`
		} `json:"paths"`
	} `json:"vrrp"`
	Problems []struct{ Kind, Name, Text string } `json:"problems"`
}

// pathProblems waits until the paths with a problem are as wanted, in the order of their
// names, and returns the texts.
func pathProblems(t *testing.T, d *lab.Daemon, want ...string) string {
	t.Helper()
	var texts string
	lab.Wait(t, 20*time.Second, fmt.Sprintf("problems of the paths %q", want), func() (string, bool) {
		var s statusOfPaths
		if err := d.StatusInto(&s); err != nil {
			return err.Error(), false
		}
		var names, said []string
		for _, p := range s.Problems {
			if p.Kind == "path" {
				names, said = append(names, p.Name), append(said, p.Text)
			}
		}
		texts = strings.Join(said, "\n")
		return fmt.Sprintf("%q: %s", names, texts), strings.Join(names, " ") == strings.Join(want, " ")
	})
	return texts
}

// heardBy waits until a BACKUP has received some more adverts by a path.
func heardBy(t *testing.T, d *lab.Daemon, path, more int) {
	t.Helper()
	var from uint64
	first := true
	lab.Wait(t, 20*time.Second, fmt.Sprintf("adverts by path %d", path), func() (string, bool) {
		var s statusOfPaths
		if err := d.StatusInto(&s); err != nil || len(s.VRRP) != 1 || len(s.VRRP[0].Paths) <= path {
			return fmt.Sprint(err), false
		}
		n := s.VRRP[0].Paths[path].AdvertsReceived
		if first {
			from, first = n, false
		}
		return fmt.Sprintf("%d of them", n-from), n >= from+uint64(more)
	})
}

// runTwoPaths runs both directors with two paths each and returns when the first is MASTER.
// also has what each of them says of the second path.
func runTwoPaths(t *testing.T, p *lab.Pair, version int, options string, also [2]string) (d [2]*lab.Daemon) {
	t.Helper()
	for i, host := range p.Directors {
		d[i] = host.Holdfast(twoPaths(version, 200-100*i, options, also[i]))
		d[i].AwaitState(t, []string{"MASTER", "BACKUP"}[i])
	}
	return d
}

// checkTwoMasters breaks both paths, of which any may be broken already: both directors are
// MASTER then, until one path is mended.
func checkTwoMasters(t *testing.T, d [2]*lab.Daemon, mended, broken *lab.Wire) {
	t.Helper()
	mended.BlackHole()
	broken.BlackHole()
	d[1].AwaitState(t, "MASTER")
	d[0].AwaitState(t, "MASTER")
	mended.Restore()
	d[1].AwaitState(t, "BACKUP")
	d[0].AwaitState(t, "MASTER")
}

// A broken switch between the directors makes no second MASTER while another works, and
// no packet is lost. When both are broken there are two, and one when either is mended.
func TestRedundantPaths(t *testing.T) {
	for name, c := range map[string]struct {
		options string
		also    [2]string // of each director
		mended  int       // of the two broken paths; either will do
	}{
		"multicast":        {"", [2]string{}, 1},
		"unicast and hmac": {secretHMAC, [2]string{"unicast = true\npeers = [\"192.168.0.3\"]\n", "unicast = true\npeers = [\"192.168.0.2\"]\n"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := lab.NewPair(t, 2)
			d := runTwoPaths(t, p, 3, c.options, c.also)
			wires := []*lab.Wire{p.Directors[1].Wires["eth0"], p.Directors[1].Wires["eth1"]}
			before := transitions(t, d[0]) + transitions(t, d[1])
			probe := p.Router.Probe(lab.VIP, 10*time.Millisecond)
			probe.AwaitAnswers(t, 10*time.Second, 3)
			heardBy(t, d[1], 1, 3)

			for i, wire := range wires {
				wire.BlackHole()
				if text := pathProblems(t, d[1], wire.Device); !strings.Contains(text, "while 10.0.0.2 is heard by another path") {
					t.Errorf("the problem is %q", text)
				}
				heardBy(t, d[1], 1-i, 10)
				wire.Restore()
				pathProblems(t, d[1])
			}
			if after := transitions(t, d[0]) + transitions(t, d[1]); after != before {
				t.Errorf("%d transitions", after-before)
			}

			checkTwoMasters(t, d, wires[c.mended], wires[1-c.mended])
			wires[1-c.mended].Restore()
			pathProblems(t, d[1])
			d[0].AwaitState(t, "MASTER")
			if tally := probe.Stop(); tally.Lost != 0 {
				t.Errorf("the VIP: %v", tally)
			}
		})
	}
}

// Adverts with AH are accepted by both paths, as copies, and by either alone. An advert
// that was recorded on one path is refused on the other: there its source has no sequence
// numbers yet.
func TestPathsRefuseReplays(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	wires := [2]*lab.Wire{p.Directors[1].Wires["eth0"], p.Directors[1].Wires["eth1"]}
	captures := [2]*lab.Capture{wires[0].Capture(), wires[1].Capture()}
	d := runTwoPaths(t, p, 2, secretAH, [2]string{})
	probe := p.Router.Probe(lab.VIP, 10*time.Millisecond)
	probe.AwaitAnswers(t, 10*time.Second, 3)
	before := transitions(t, d[0]) + transitions(t, d[1])

	strangers := [2]*lab.Wire{p.Router.Wires["eth0"], p.Realservers[0].Wires["eth0"]}
	for i, capture := range captures {
		capture.Await(t, 10*time.Second, "adverts", 2, arrives)
		strangers[1-i].Flood(1, func(int) []byte { return capture.Frames(arrives)[0].Bytes })
	}
	lab.Wait(t, 10*time.Second, "a replay refused and a copy accepted by each path", func() (string, bool) {
		var s statusOfPaths
		if err := d[1].StatusInto(&s); err != nil {
			return err.Error(), false
		}
		refused, copies := true, uint64(0)
		for _, path := range s.VRRP[0].Paths {
			refused = refused && maps.Equal(path.Dropped, map[string]uint64{"replay": 1})
			copies += path.Copies
		}
		return fmt.Sprintf("%+v", s.VRRP[0].Paths), refused && copies > 0
	})
	pathProblems(t, d[1])

	wires[0].BlackHole()
	pathProblems(t, d[1], "eth0")
	if after := transitions(t, d[0]) + transitions(t, d[1]); after != before {
		t.Errorf("%d transitions", after-before)
	}
	checkTwoMasters(t, d, wires[0], wires[1])
	if tally := probe.Stop(); tally.Lost != 0 {
		t.Errorf("the VIP: %v", tally)
	}
}

// A MASTER whose first interface fails says so by the other path: its successor does not
// wait for missing adverts. A path that fails is no fault.
func TestFaultIsToldOnOtherPath(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	var d [2]*lab.Daemon
	for i, host := range p.Directors {
		config := strings.Replace(twoPaths(3, 200-100*i, "", ""), "100ms", "2s", 1) // only priority 0 is faster
		d[i] = host.Holdfast(config)
		d[i].AwaitState(t, []string{"MASTER", "BACKUP"}[i])
	}
	heardBy(t, d[1], 1, 1)
	p.Directors[0].Wires["eth1"].Cut()
	if text := pathProblems(t, d[0], "eth1"); text != "no adverts go by eth1: the interface has no carrier" {
		t.Errorf("the problem is %q", text)
	}
	d[0].AwaitState(t, "MASTER")
	p.Directors[0].Wires["eth1"].Replug()
	pathProblems(t, d[0])
	p.Directors[0].Run("ip", "-4", "address", "flush", "dev", "eth1")
	if text := pathProblems(t, d[0], "eth1"); !strings.Contains(text, "interface eth1 has no IPv4 address of its own") {
		t.Errorf("the problem is %q", text)
	}
	p.Directors[0].Run("ip", "address", "add", "192.168.0.2/24", "dev", "eth1")
	pathProblems(t, d[0])
	heardBy(t, d[1], 1, 1)

	p.Directors[0].Wires["eth0"].Cut()
	d[0].AwaitState(t, "FAULT")
	d[1].AwaitState(t, "MASTER")
	events, err := d[1].Events(0)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(events.String(), "10.0.0.2 gave up (priority 0)") {
		t.Errorf("the successor was not told:\n%v", events)
	}
	p.Directors[0].Wires["eth0"].Replug()
	d[0].AwaitState(t, "MASTER")
	d[1].AwaitState(t, "BACKUP")
}

// Reloads and an upgrade take a path away and bring it back, also while it is the only
// one that works, without a transition.
func TestReloadAndUpgradeKeepPaths(t *testing.T) {
	t.Parallel()
	slow := strings.NewReplacer("100ms", "1s")
	single := func(v, priority int) string { return slow.Replace(outside(v, priority, "")) }
	double := func(v, priority int) string { return slow.Replace(twoPaths(v, priority, "", "")) }
	p := lab.NewPair(t, 2)
	var d [2]*lab.Daemon
	for i, host := range p.Directors {
		d[i] = host.NewDaemon(single(3, 200-100*i))
		d[i].Own()
		d[i].Restart()
		d[i].AwaitState(t, []string{"MASTER", "BACKUP"}[i])
	}
	before := transitions(t, d[0]) + transitions(t, d[1])
	configure := func(config func(version, priority int) string) {
		t.Helper()
		for i := range d {
			d[i].Configure(config(3, 200-100*i))
			if err := d[i].Reload(); err != nil {
				t.Fatal(err)
			}
		}
	}
	configure(double)
	heardBy(t, d[1], 1, 2)
	p.Directors[1].Wires["eth0"].BlackHole()
	pathProblems(t, d[1], "eth0")
	for i := range d {
		d[i].Install(d[i].Binary())
		obeyed(t, d[i], "upgrade")
	}
	heardBy(t, d[1], 1, 3)
	p.Directors[1].Wires["eth0"].Restore()
	heardBy(t, d[1], 0, 2)
	configure(single)
	wire := p.Directors[0].Wires["eth0"].Capture()
	wire.Await(t, 20*time.Second, "adverts", 4, lab.Advertised(51))
	if after := transitions(t, d[0]) + transitions(t, d[1]); after != before {
		t.Errorf("%d transitions", after-before)
	}
	closed := func(why string) {
		t.Helper()
		if groups := p.Directors[0].Run("ip", "maddress", "show", "dev", "eth1"); strings.Contains(groups, "224.0.0.18") {
			t.Errorf("%s: the socket on the path is still open:\n%s", why, groups)
		}
	}
	closed("the path is gone")
	configure(double)
	configure(func(v, priority int) string {
		return strings.Replace(single(v, priority), "/24\"]", "/24\", \"10.0.0.101/24\"]", 1)
	})
	closed("the path is gone, and the addresses have changed")
}

// Two interfaces in one LAN are named as such, and elect one MASTER. Over IPv4 Linux drops
// the MASTER's own adverts that come back (a source address of its own).
func TestPathsInOneLAN(t *testing.T) {
	for name, c := range map[string]struct {
		address string
		named   [2][]string // by the MASTER and by the BACKUP
	}{
		"IPv4": {lab.VIP + "/24", [2][]string{nil, {"eth0", "eth2"}}},
		"IPv6": {lab.VIP6 + "/64", [2][]string{{"eth0", "eth2"}, {"eth0", "eth2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := lab.NewPair(t, 2)
			change := strings.NewReplacer("eth1", "eth2", "100ms", "1s", lab.VIP+"/24", c.address)
			var d [2]*lab.Daemon
			for i, host := range p.Directors {
				host.Plug(p.Outside, "eth2", fmt.Sprintf("10.0.0.%d/24", i+22))
				d[i] = host.Holdfast(change.Replace(twoPaths(3, 200-100*i, "", "")))
				d[i].AwaitState(t, []string{"MASTER", "BACKUP"}[i])
			}
			for i := range d {
				if text := pathProblems(t, d[i], c.named[i]...); c.named[i] != nil && !strings.Contains(text, "both are one LAN") {
					t.Errorf("the problem is %q", text)
				}
			}
			s, err := d[0].Status()
			if dropped := s.VRRP[0].Counters.Dropped["own_path"] > 0; err != nil || dropped != (name == "IPv6") {
				t.Errorf("dropped %v, %v", s.VRRP[0].Counters.Dropped, err)
			}
			d[0].AwaitState(t, "MASTER")
			d[1].AwaitState(t, "BACKUP")
		})
	}
}
