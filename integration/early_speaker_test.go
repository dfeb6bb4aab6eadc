package integration_test

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
)

// slowUpgrade begins an upgrade of a director whose new binary cannot open its
// configuration until the returned function is called. That function waits for
// the end of the upgrade.
func slowUpgrade(t *testing.T, p *lab.Pair, d *lab.Daemon, host *lab.Host) (finish func()) {
	t.Helper()
	gate := p.Gate(filepath.Join(p.Dir(), host.Name+".toml"))
	done := make(chan error, 1)
	go func() {
		_, _, err := d.CLI("upgrade")
		done <- err
	}()
	gate.Await()() // the check before the upgrade
	lab.Wait(t, 20*time.Second, "the new binary", func() (string, bool) { return "", runs(t, d, d.Binary()) })
	gate.Await()
	return func() {
		t.Helper()
		gate.Open()
		if err := <-done; err != nil {
			t.Errorf("upgrade: %v", err)
		}
	}
}

// However long the new binary takes to read its configuration, adverts go on and
// mastership stays.
func TestSlowUpgrade(t *testing.T) {
	p := lab.NewPair(t, 2)
	daemons := installed(t, p, fast)
	d := daemons[0]
	v := keepVigil(t, p)
	own, others := mark(t, d), mark(t, daemons[1])
	d.Install(d.Binary())
	finish := slowUpgrade(t, p, d, p.Directors[0])
	adverts(t, p.Directors[0], 20) // five times as long as others wait
	finish()
	stayed(t, "the upgraded director", d, own)
	stayed(t, "the other director", daemons[1], others)
	adverts(t, p.Directors[0], 5)
	d.AwaitState(t, "MASTER")
	obeyed(t, d, "handover") // it is as able as any
	daemons[1].AwaitState(t, "MASTER")
	v.end(t)
}

// If a router with a better claim is heard meanwhile, the new binary yields to it.
func TestSlowUpgradeYields(t *testing.T) {
	p := lab.NewPair(t, 2)
	daemons := installed(t, p, fast)
	d, wire := daemons[0], p.Directors[0].Wires["eth0"]
	d.Install(d.Binary())
	finish := slowUpgrade(t, p, d, p.Directors[0])
	capture := wire.Capture()
	rival := p.Host("rival").Plug(p.Outside, "eth0", "10.0.0.77/24")
	stop := rival.Repeat(rival.VRRPv3("10.0.0.77", 51, 254, fast, lab.VIP), often)
	theirs := func(f lab.Frame) bool {
		a, ok := f.Advert()
		return ok && !f.FromHost && a.Priority == 254
	}
	capture.Await(t, 20*time.Second, "adverts of the rival", 40, theirs)
	began := capture.Frames(theirs)[0].Time
	for _, f := range capture.Frames(func(f lab.Frame) bool { return lab.Advertised(51)(f) && f.Time.Sub(began) > promptly }) {
		t.Errorf("it spoke as MASTER %v after a better one", f.Time.Sub(began))
	}
	finish()
	d.AwaitState(t, "BACKUP")
	stop()
	d.AwaitState(t, "MASTER")
}

// A new binary that was stopped for longer than the others wait sends no advert when
// it runs again, because another director is MASTER by then.
func TestSlowUpgradeSleeps(t *testing.T) {
	p := lab.NewPair(t, 2)
	daemons := directors(t, p, lab.Director{Options: "preempt = false"})
	d, wire := daemons[0], p.Directors[0].Wires["eth0"]
	d.Own()
	d.Stop()
	daemons[1].AwaitState(t, "MASTER")
	d.Restart()
	d.AwaitState(t, "BACKUP")
	obeyed(t, daemons[1], "handover")
	d.AwaitState(t, "MASTER")

	d.Install(d.Binary())
	finish := slowUpgrade(t, p, d, p.Directors[0])
	d.Signal(unix.SIGSTOP)
	daemons[1].AwaitState(t, "MASTER")
	capture := wire.Capture()
	d.Signal(unix.SIGCONT)
	adverts(t, p.Directors[1], 10)
	for _, f := range capture.Frames(func(f lab.Frame) bool { a, ok := f.Advert(); return ok && f.FromHost && a.Priority > 0 }) {
		t.Errorf("it spoke as MASTER: %v", f.Time)
	}
	finish()
	d.AwaitState(t, "BACKUP")
	daemons[1].AwaitState(t, "MASTER")
}
