// Package integration_test runs the built daemon among network namespaces of
// this kernel: real macvlans, ARP as a router sees it, real keepalived and FRR
// as peers. What needs IPVS is in the folder ipvs.
//
// No test here measures. A time limit only distinguishes a hang from a success; the
// benchmark compares the figures that tests log.
package integration_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// fast is the advert interval of tests that do not care.
const fast = 100 * time.Millisecond

func TestMain(m *testing.M) {
	if err := lab.Build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		// Most of the time the tests wait for timers to run out. Those that must be alone to
		// lose no packet are not parallel.
		if err := flag.Set("test.parallel", strconv.Itoa(4*runtime.NumCPU())); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// priorities of the directors, in their order.
var priorities = []int{200, 150, 100}

// directors starts holdfast on all directors of the pair with priorities of
// their own: first lvs1, which becomes MASTER, then the others, which stay
// BACKUP.
func directors(t *testing.T, p *lab.Pair, options lab.Director) []*lab.Daemon {
	t.Helper()
	if options.Interval == 0 {
		options.Interval = fast
	}
	var daemons []*lab.Daemon
	for i, host := range p.Directors {
		options.Priority = priorities[i]
		daemons = append(daemons, host.Holdfast(options.TOML()))
		state := "BACKUP"
		if i == 0 {
			state = "MASTER"
		}
		daemons[i].AwaitState(t, state)
	}
	return daemons
}

// A watch looks for MAC changes where they would hurt: the router's entry for
// the VIP and the realservers' for the DIP.
type watch struct {
	entries map[string]*lab.NeighbourWatch
	want    map[string]lab.MAC
}

func watchMACs(p *lab.Pair, ipv6 bool) *watch {
	w := &watch{entries: map[string]*lab.NeighbourWatch{}, want: map[string]lab.MAC{}}
	add := func(host *lab.Host, address string, mac lab.MAC) {
		name := host.Name + " " + address
		w.entries[name], w.want[name] = host.WatchNeighbour(address), mac
	}
	add(p.Router, lab.VIP, lab.VirtualMAC(51))
	add(p.Realservers[0], lab.DIP, lab.VirtualMAC(52))
	add(p.Realservers[1], lab.DIP, lab.VirtualMAC(52))
	if ipv6 {
		add(p.Router, lab.VIP6, lab.VirtualMAC6(51))
		add(p.Realservers[0], lab.DIP6, lab.VirtualMAC6(52))
	}
	return w
}

// check fails the test unless every entry has been seen and never had another
// MAC address than the virtual one.
func (w *watch) check(t *testing.T) {
	t.Helper()
	for name, entry := range w.entries {
		if err := entry.Err(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		seen := entry.Seen()
		if len(seen) == 0 {
			t.Errorf("%s: never resolved", name)
		}
		for _, s := range seen {
			if s.MAC != w.want[name] {
				t.Errorf("%s: %v, want only %v", name, entry, w.want[name])
				break
			}
		}
	}
}

// traffic probes the VIPs from the router and the DIPs from the realservers.
type traffic struct{ probes map[string]*lab.Probe }

func startTraffic(t *testing.T, p *lab.Pair, ipv6 bool) *traffic {
	t.Helper()
	w := &traffic{probes: map[string]*lab.Probe{
		"VIP": p.Router.Probe(lab.VIP, 2*time.Millisecond),
		"DIP": p.Realservers[0].Probe(lab.DIP, 2*time.Millisecond),
		// The second realserver resolves the DIP too, without load.
		"DIP2": p.Realservers[1].Probe(lab.DIP, 20*time.Millisecond),
	}}
	if ipv6 {
		w.probes["VIP6"] = p.Router.Probe(lab.VIP6, 2*time.Millisecond)
		w.probes["DIP6"] = p.Realservers[0].Probe(lab.DIP6, 2*time.Millisecond)
	}
	w.flows(t)
	return w
}

// flows waits until answers come from everywhere.
func (w *traffic) flows(t *testing.T) {
	t.Helper()
	for _, probe := range w.probes {
		probe.AwaitAnswers(t, 20*time.Second, 20)
	}
}

// stop ends the probes and logs what they saw.
func (w *traffic) stop(t *testing.T) map[string]lab.Tally {
	t.Helper()
	tallies := map[string]lab.Tally{}
	for name, probe := range w.probes {
		tallies[name] = probe.Stop()
		t.Logf("%s: %v", name, tallies[name])
	}
	return tallies
}
