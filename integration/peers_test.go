package integration_test

import (
	"fmt"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// peerInterval is what a version can say: whole seconds in version 2.
func peerInterval(version int) time.Duration {
	if version == 2 {
		return time.Second
	}
	return fast
}

func keepalived(host *lab.Host, priority int) *lab.Process {
	return host.Keepalived(lab.KeepalivedConfig(true,
		lab.VirtualRouter{
			Name: "outside", Version: 3, Interface: "eth0", VRID: 51, Priority: priority,
			Interval: fast, Addresses: []string{lab.VIP + "/24"}, VMAC: true,
		},
		lab.VirtualRouter{
			Name: "inside", Version: 3, Interface: "eth1", VRID: 52, Priority: priority,
			Interval: fast, Addresses: []string{lab.DIP + "/24"}, VMAC: true,
		}))
}

// onlySpeaker waits until one director alone has sent several adverts in a row.
func onlySpeaker(t *testing.T, p *lab.Pair, speaker int) {
	t.Helper()
	const several = 4
	mine, other := p.Directors[speaker].Wires["eth0"].Capture(), p.Directors[1-speaker].Wires["eth0"].Capture()
	heard, since := 0, 0
	lab.Wait(t, 30*time.Second, "adverts of "+p.Directors[speaker].Name+" alone", func() (string, bool) {
		n := mine.Count(lab.Advertised(51))
		if o := other.Count(lab.Advertised(51)); o != heard {
			heard, since = o, n
		}
		return fmt.Sprintf("%d in a row", n-since), n-since >= several
	})
	for _, c := range []*lab.Capture{mine, other} {
		if err := c.Stop(); err != nil {
			t.Errorf("capture: %v", err)
		}
	}
}

// holdfast and keepalived as directors, each with a VIP and a DIP that move
// together, and traffic to both.
func TestKeepalived(t *testing.T) {
	t.Parallel()
	t.Run("holdfast preferred", func(t *testing.T) {
		t.Parallel()
		p := lab.NewPair(t, 2)
		mine := p.Directors[0].Holdfast(lab.Director{Priority: 200, Interval: fast}.TOML())
		keepalived(p.Directors[1], 100)
		mine.AwaitState(t, "MASTER")
		onlySpeaker(t, p, 0)
		load := startTraffic(t, p, false)

		mine.Crash()
		onlySpeaker(t, p, 1)
		mine.Restart()
		mine.AwaitState(t, "MASTER") // preempts
		onlySpeaker(t, p, 0)
		load.flows(t)

		goodbye := p.Directors[0].Wires["eth0"].Capture()
		if status := mine.Stop(); status != 0 {
			t.Errorf("exit status %d", status)
		}
		goodbye.Await(t, 5*time.Second, "an advert with priority 0", 1, func(f lab.Frame) bool {
			a, ok := f.Advert()
			return ok && f.FromHost && a.Priority == 0
		})
		onlySpeaker(t, p, 1)
		load.flows(t)
		load.stop(t)
	})

	t.Run("keepalived preferred", func(t *testing.T) {
		t.Parallel()
		p := lab.NewPair(t, 2)
		theirs := keepalived(p.Directors[0], 200)
		onlySpeaker(t, p, 0)
		mine := p.Directors[1].Holdfast(lab.Director{Priority: 100, Interval: fast}.TOML())
		mine.AwaitState(t, "BACKUP")
		onlySpeaker(t, p, 0)
		load := startTraffic(t, p, false)

		theirs.Crash()
		mine.AwaitState(t, "MASTER")
		onlySpeaker(t, p, 1)
		load.flows(t)
		theirs = keepalived(p.Directors[0], 200)
		mine.AwaitState(t, "BACKUP") // is preempted
		onlySpeaker(t, p, 0)
		load.flows(t)

		theirs.Stop() // says goodbye
		mine.AwaitState(t, "MASTER")
		onlySpeaker(t, p, 1)
		load.flows(t)
		load.stop(t)
		accepted(t, mine)
	})
}

// accepted fails the test if the daemon dropped any advert of its peer.
func accepted(t *testing.T, d *lab.Daemon) {
	t.Helper()
	s, err := d.Status()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range s.VRRP {
		for reason, n := range v.Counters.Dropped {
			t.Errorf("%s dropped %d adverts: %s", v.Name, n, reason)
		}
	}
}
