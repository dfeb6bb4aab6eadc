package integration_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// Half the interval of a crowd is for `make bench`, which has the machine to itself.
const (
	crowdWires    = 4
	crowdInterval = 2 * fast
)

// upgradePerWire is at most 255: VRIDs end there. The kernel takes a minute to make and to
// remove the devices of a thousand virtual routers on two directors.
var upgradePerWire = flag.Int("upgrade.wire", 60, "the virtual routers of TestUpgradeOfMany on each of four wires")

// upgradeStorm has TestUpgradeOfMany run at 100 ms beside a program that adds and removes
// addresses and routes all the time, for which it holds the lock of the kernel's network
// configuration. No virtual router may be silent for longer than silenceLimit.
var upgradeStorm = flag.Bool("upgrade.storm", false, "upgrade beside heavy netlink work")

const silenceLimit = 150 * time.Millisecond

// interval is that of the crowd's adverts.
func interval() time.Duration {
	if *upgradeStorm {
		return fast
	}
	return crowdInterval
}

// storm adds and removes addresses, which have routes, on an interface of its own.
func storm(t *testing.T, h *lab.Host) {
	const n = 2000
	h.Run("ip", "link", "add", "storm", "type", "bridge")
	h.Run("ip", "link", "set", "storm", "up")
	script := fmt.Sprintf(`for i in $(seq 0 %d); do echo "address add 10.200.$((i / 250)).$((i %% 250 + 1))/30 dev storm"; done >"$0"
while :; do ip -force -batch "$0"; ip address flush dev storm; done`, n-1)
	h.Start("sh", "-c", script, filepath.Join(t.TempDir(), "addresses"))
}

// A crowd is two directors with many virtual routers, each with its virtual MAC.
type crowd struct {
	perWire int // the virtual routers on each wire
	hosts   []*lab.Host
	daemons []*lab.Daemon
}

func newCrowd(t *testing.T, perWire int) *crowd {
	t.Helper()
	l := lab.New(t)
	c := &crowd{perWire: perWire, hosts: []*lab.Host{l.Host("lvs1"), l.Host("lvs2")}}
	for w := range crowdWires {
		wire := l.Switch(fmt.Sprintf("wire%d", w))
		for i, host := range c.hosts {
			host.Plug(wire, fmt.Sprintf("eth%d", w), fmt.Sprintf("10.%d.0.%d/16", w, i+2))
		}
	}
	for i, host := range c.hosts {
		var toml strings.Builder
		for w := range crowdWires {
			for vrid := 1; vrid <= perWire; vrid++ {
				fmt.Fprintf(&toml, "[[vrrp]]\nname = \"v%d-%d\"\ninterface = \"eth%d\"\nvrid = %d\npriority = %d\ninterval = %q\naddresses = [\"10.%d.1.%d/16\"]\n",
					w, vrid, w, vrid, priorities[i], interval(), w, vrid)
			}
		}
		d := host.NewDaemon(toml.String())
		d.Own()
		d.Restart()
		c.daemons = append(c.daemons, d)
		d.AwaitState(t, []string{"MASTER", "BACKUP"}[i])
	}
	return c
}

// A spell is what a host's wires recorded of its adverts.
type spell []*lab.Capture

// listen records the adverts of a host.
func (c *crowd) listen(host *lab.Host) spell {
	var s spell
	for w := range crowdWires {
		s = append(s, host.Wires[fmt.Sprintf("eth%d", w)].CaptureAdverts())
	}
	return s
}

// since returns when each virtual router of the host was heard after a moment, by
// wire and VRID.
func (s spell) since(moment time.Time) map[[2]int][]time.Time {
	heard := map[[2]int][]time.Time{}
	for wire, c := range s {
		for _, f := range c.Frames(func(f lab.Frame) bool { return f.FromHost && f.Time.After(moment) }) {
			if a, ok := f.Advert(); ok {
				heard[[2]int{wire, int(a.VRID)}] = append(heard[[2]int{wire, int(a.VRID)}], f.Time)
			}
		}
	}
	return heard
}

// awaitAll waits until each virtual router was heard after a moment.
func (c *crowd) awaitAll(t *testing.T, s spell, moment time.Time) {
	t.Helper()
	all := crowdWires * c.perWire
	lab.Wait(t, 20*time.Second, "adverts of all virtual routers", func() (string, bool) {
		n := len(s.since(moment))
		return fmt.Sprintf("%d of %d", n, all), n == all
	})
}

// longest ends the records and returns the longest time between two adverts of
// one virtual router.
func (s spell) longest(t *testing.T) (longest time.Duration) {
	t.Helper()
	for _, c := range s {
		if err := c.Stop(); err != nil {
			t.Errorf("capture: %v", err)
		}
	}
	for _, times := range s.since(time.Time{}) {
		for i := 1; i < len(times); i++ {
			longest = max(longest, times[i].Sub(times[i-1]))
		}
	}
	return longest
}

// The binary of many MASTERs is replaced. The other director waits two thirds of
// a second for adverts, and no virtual router changes its state.
func TestUpgradeOfMany(t *testing.T) {
	c := newCrowd(t, *upgradePerWire)
	d, other := c.daemons[0], c.daemons[1]
	if *upgradeStorm {
		storm(t, c.hosts[0])
	}
	own, others := mark(t, d), mark(t, other)
	for round := range rounds(t, 2) {
		said := c.listen(c.hosts[0])
		c.awaitAll(t, said, time.Time{})
		d.Install(d.Binary())
		obeyed(t, d, "upgrade")
		c.awaitAll(t, said, time.Now())
		silent := said.longest(t).Round(time.Millisecond)
		t.Logf("round %d: silent for %v at most", round+1, silent)
		if *upgradeStorm && silent > silenceLimit {
			t.Errorf("round %d: silent for %v", round+1, silent)
		}
		d.AwaitState(t, "MASTER")
		if n := len(events(t, d, own).Transitions()); n > 0 {
			t.Errorf("round %d: %d transitions of the upgraded director", round+1, n)
		}
		if n := len(events(t, other, others).Transitions()); n > 0 {
			t.Errorf("round %d: %d transitions of the other director", round+1, n)
		}
		own, others = mark(t, d), mark(t, other)
	}
}
