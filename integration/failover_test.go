package integration_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
)

// A failure happens to the first director; the returned function repairs it.
type failure struct {
	name string
	do   func(t *testing.T, p *lab.Pair, d *lab.Daemon) (repair func())
	// after is what the first director's daemon says of itself while it fails;
	// empty when it cannot be asked.
	after string
}

func wires(p *lab.Pair) []*lab.Wire {
	return []*lab.Wire{p.Directors[0].Wires["eth0"], p.Directors[0].Wires["eth1"]}
}

var failures = []failure{
	{name: "cut outside", after: "FAULT", do: func(_ *testing.T, p *lab.Pair, _ *lab.Daemon) func() {
		// One wire is enough: the group moves together.
		p.Directors[0].Wires["eth0"].Cut()
		return p.Directors[0].Wires["eth0"].Replug
	}},
	{name: "cut inside", after: "FAULT", do: func(_ *testing.T, p *lab.Pair, _ *lab.Daemon) func() {
		p.Directors[0].Wires["eth1"].Cut()
		return p.Directors[0].Wires["eth1"].Replug
	}},
	{name: "black hole", after: "MASTER", do: func(_ *testing.T, p *lab.Pair, _ *lab.Daemon) func() {
		// Both wires: with one, the other side would still hear adverts.
		for _, wire := range wires(p) {
			wire.BlackHole()
		}
		return func() {
			for _, wire := range wires(p) {
				wire.Restore()
			}
		}
	}},
	{name: "power cut", do: func(_ *testing.T, p *lab.Pair, d *lab.Daemon) func() {
		p.Directors[0].PowerCut()
		return func() {
			p.Directors[0].PowerOn()
			d.Restart()
		}
	}},
	{name: "SIGKILL", do: func(_ *testing.T, _ *lab.Pair, d *lab.Daemon) func() {
		d.Crash()
		return d.Restart
	}},
	{name: "SIGTERM", do: func(t *testing.T, _ *lab.Pair, d *lab.Daemon) func() {
		d.Signal(unix.SIGTERM)
		return func() {
			if status := d.Wait(20 * time.Second); status != 0 {
				t.Errorf("exit status %d after SIGTERM", status)
			}
			d.Restart()
		}
	}},
}

// TestFailover is the main job: the MASTER fails, the other director serves;
// the MASTER returns and preempts. The router and the realservers must never
// see another MAC address than the virtual one.
func TestFailover(t *testing.T) {
	t.Parallel()
	for _, f := range failures {
		for _, variant := range []struct {
			name    string
			options lab.Director
			cold    bool
		}{
			{name: "v3", options: lab.Director{}},
			{name: "v3 cold caches", options: lab.Director{}, cold: true},
			{name: "v3 with IPv6", options: lab.Director{IPv6: true}},
			{name: "v2", options: lab.Director{Version: 2, Interval: time.Second}, cold: true},
		} {
			t.Run(f.name+"/"+variant.name, func(t *testing.T) {
				t.Parallel()
				testFailover(t, f, variant.options, variant.cold)
			})
		}
	}
}

func testFailover(t *testing.T, f failure, options lab.Director, cold bool) {
	p := lab.NewPair(t, 2)
	macs := watchMACs(p, options.IPv6)
	daemons := directors(t, p, options)
	load := startTraffic(t, p, options.IPv6)
	forget := func() {
		if cold {
			for _, h := range append(append([]*lab.Host{p.Router}, p.Realservers...), p.Directors...) {
				h.FlushNeighbours()
			}
		}
	}
	forget()
	load.flows(t)

	repair := f.do(t, p, daemons[0])
	daemons[1].AwaitState(t, "MASTER")
	if f.after != "" {
		daemons[0].AwaitState(t, f.after)
	}
	forget()
	load.flows(t)
	if cold {
		// The director asks too: a client whose entry it lacks.
		p.Directors[1].FlushNeighbours()
		load.flows(t)
	}

	repair()
	daemons[0].AwaitState(t, "MASTER")
	daemons[1].AwaitState(t, "BACKUP")
	forget()
	load.flows(t)
	load.stop(t)
	macs.check(t)
}

// Without preemption the director that returns stays BACKUP.
func TestNoPreemption(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	daemons := directors(t, p, lab.Director{Options: "preempt = false"})
	daemons[0].Crash()
	daemons[1].AwaitState(t, "MASTER")
	capture := p.Directors[1].Wires["eth0"].Capture()
	daemons[0].Restart()
	daemons[0].AwaitState(t, "BACKUP")
	// A preempting director would have spoken after three intervals and a bit.
	capture.Await(t, 20*time.Second, "ten adverts of lvs2", 10, lab.Advertised(51))
	daemons[0].AwaitState(t, "BACKUP")
	daemons[1].AwaitState(t, "MASTER")
}

// Three directors: the next in line takes over each time.
func TestThirdDirector(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 3)
	macs := watchMACs(p, false)
	daemons := directors(t, p, lab.Director{})
	load := startTraffic(t, p, false)
	daemons[0].Crash()
	daemons[1].AwaitState(t, "MASTER")
	daemons[2].AwaitState(t, "BACKUP")
	daemons[1].Crash()
	daemons[2].AwaitState(t, "MASTER")
	load.flows(t)
	load.stop(t)
	macs.check(t)
}

// Two directors that do not hear each other are both MASTER. When they hear each
// other again, the one with the higher priority remains, or else the one with the
// higher address.
func TestHealedPartition(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		priorities [2]int
		winner     int
	}{
		{"priority", [2]int{200, 100}, 0},
		{"address", [2]int{100, 100}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := lab.NewPair(t, 2)
			macs := watchMACs(p, true)
			for _, wire := range wires(p) {
				wire.BlackHole()
			}
			var daemons []*lab.Daemon
			for i, host := range p.Directors {
				daemons = append(daemons, host.Holdfast(lab.Director{Priority: c.priorities[i], Interval: fast, IPv6: true}.TOML()))
			}
			for _, d := range daemons {
				d.AwaitState(t, "MASTER")
			}
			load := startTraffic(t, p, true)
			for _, wire := range wires(p) {
				wire.Restore()
			}
			daemons[1-c.winner].AwaitState(t, "BACKUP")
			daemons[c.winner].AwaitState(t, "MASTER")
			load.flows(t)

			// And it stays so: the loser says nothing any more.
			loser := p.Directors[1-c.winner].Wires["eth0"].Capture()
			winner := p.Directors[c.winner].Wires["eth0"].Capture()
			winner.Await(t, 20*time.Second, "ten adverts of the winner", 10, lab.Advertised(51))
			if n := loser.Count(lab.Advertised(51)); n != 0 {
				t.Errorf("%d adverts of the loser", n)
			}
			load.stop(t)
			macs.check(t)
		})
	}
}
