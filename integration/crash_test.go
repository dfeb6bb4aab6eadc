package integration_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
)

// promptly is how long a daemon may take on a busy machine to carry out what it has
// decided. Until then the kernel answers ARP.
const promptly = 50 * time.Millisecond

// ask returns a function that makes a host outside broadcast ARP requests for the
// VIP, so that every director that would answer does.
func ask(p *lab.Pair) (every func(time.Duration) (stop func())) {
	wire := p.Host("asker").Plug(p.Outside, "eth0", "10.0.0.77/24")
	request := wire.ARPRequest("10.0.0.77", lab.VIP)
	return func(interval time.Duration) func() { return wire.Repeat(request, interval) }
}

const (
	often = 10 * time.Millisecond
	once  = time.Hour
)

// spokeAsMaster matches what only a MASTER may send: an advert, or an answer or
// announcement for the VIP.
func spokeAsMaster(f lab.Frame) bool {
	if !f.FromHost {
		return false
	}
	if a, ok := f.Advert(); ok {
		return a.VRID == 51
	}
	arp, ok := f.ARP()
	return ok && arp.Sender.String() == lab.VIP
}

// A span is a stretch of time.
type span struct{ from, to time.Time }

// reigns reads from a journal when a director was MASTER of one virtual router.
func reigns(j lab.Journal, router string) []span {
	var all []span
	for _, e := range j.Of("instance") {
		switch {
		case e.Subject != router:
		case e.To == "MASTER":
			all = append(all, span{from: e.At, to: time.Now().Add(time.Hour)})
		case e.From == "MASTER":
			all[len(all)-1].to = e.At
		}
	}
	return all
}

func within(at time.Time, spans []span, grace time.Duration) bool {
	return slices.ContainsFunc(spans, func(s span) bool {
		return !at.Before(s.from.Add(-grace)) && !at.After(s.to.Add(grace))
	})
}

// onlySpokeWhileMaster fails the test if a director, from a time on, sent what only a
// MASTER may send while it was not MASTER.
func onlySpokeWhileMaster(t *testing.T, host *lab.Host, d *lab.Daemon, capture *lab.Capture, from time.Time) {
	t.Helper()
	reigns := reigns(events(t, d, 0), "outside")
	for _, f := range capture.Frames(spokeAsMaster) {
		if f.Time.After(from.Add(promptly)) && !within(f.Time, reigns, promptly) {
			t.Errorf("%s spoke at %s and was not MASTER: % x\n%v", host.Name, f.Time.Format("15:04:05.000"), f.Bytes, events(t, d, 0))
			return
		}
	}
}

// A director crashes and starts again, at once or after the other one has taken
// over. It finds its addresses still on its devices. No packet is lost, and two
// directors never answer for the VIP at the same time.
func TestCrashAndReturn(t *testing.T) {
	for _, c := range []struct {
		name  string
		after func(t *testing.T, other *lab.Daemon)
	}{
		{"at once", func(*testing.T, *lab.Daemon) {}},
		{"after the takeover", func(t *testing.T, other *lab.Daemon) { other.AwaitState(t, "MASTER") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := lab.NewPair(t, 2)
			daemons := directors(t, p, lab.Director{})
			v := keepVigil(t, p)
			ask(p)(often)
			for range 3 {
				first, second := p.Directors[0].Wires["eth0"].Capture(), p.Directors[1].Wires["eth0"].Capture()
				began := time.Now()
				daemons[0].Crash()
				c.after(t, daemons[1])
				daemons[0].Restart()
				lab.Wait(t, 20*time.Second, "an answer of the new daemon", func() (string, bool) {
					_, err := daemons[0].Status()
					return fmt.Sprint(err), err == nil
				})
				up := time.Now()
				daemons[0].AwaitState(t, "MASTER")
				daemons[1].AwaitState(t, "BACKUP")
				adverts(t, p.Directors[0], 3)
				onlySpokeWhileMaster(t, p.Directors[0], daemons[0], first, up)
				onlySpokeWhileMaster(t, p.Directors[1], daemons[1], second, began)
				if first.Count(spokeAsMaster) == 0 {
					t.Error("nobody spoke: the test tests nothing")
				}
			}
			v.end(t)
		})
	}
}

// After a crash, release hands over in place of the dead daemon. No packet is
// lost, and the machine is as it was before the start.
func TestRelease(t *testing.T) {
	for _, c := range []struct {
		name  string
		after func(t *testing.T, other *lab.Daemon)
	}{
		{"at once", func(*testing.T, *lab.Daemon) {}},
		{"after the takeover", func(t *testing.T, other *lab.Daemon) { other.AwaitState(t, "MASTER") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := lab.NewPair(t, 2)
			p.Directors[0].Sysctl("net/ipv4/conf/all/rp_filter", "1")
			p.Directors[0].Sysctl("net/ipv4/conf/eth0/arp_announce", "1")
			before := p.Directors[0].Snapshot()
			daemons := directors(t, p, lab.Director{})
			v := keepVigil(t, p)
			daemons[0].Crash()
			c.after(t, daemons[1])
			if diff := before.Diff(p.Directors[0].Snapshot()); !strings.Contains(diff, "vrrp4-51") {
				t.Error("the crash left nothing behind: the test tests nothing")
			}
			obeyed(t, daemons[0], "release")
			if diff := before.Diff(p.Directors[0].Snapshot()); diff != "" {
				t.Errorf("%s is not as it was:\n%s", p.Directors[0].Name, diff)
			}
			daemons[1].AwaitState(t, "MASTER")
			obeyed(t, daemons[0], "release") // of nothing
			v.flows(t)

			daemons[0].Restart()
			daemons[0].AwaitState(t, "MASTER")
			v.end(t)
		})
	}
}

// Release refuses while a daemon runs. If no other director takes over, it still
// removes everything.
func TestReleaseRefuses(t *testing.T) {
	p := lab.NewPair(t, 1)
	before := p.Directors[0].Snapshot()
	alone := directors(t, p, lab.Director{})[0]
	v := keepVigil(t, p)
	own := mark(t, alone)
	if complaint := refused(t, alone, "release"); !strings.Contains(complaint, "another holdfast is running") {
		t.Errorf("release says %q", complaint)
	}
	stayed(t, "the daemon", alone, own)
	v.end(t)

	alone.Crash()
	obeyed(t, alone, "release")
	if diff := before.Diff(p.Directors[0].Snapshot()); diff != "" {
		t.Errorf("%s is not as it was:\n%s", p.Directors[0].Name, diff)
	}
}

// A MASTER that was stopped for longer than the others wait for its adverts learns
// of the new MASTER before it sends another advert. Its kernel answered meanwhile.
func TestStalledMaster(t *testing.T) {
	for _, c := range []struct {
		name    string
		asking  time.Duration
		preempt bool
		rounds  int
	}{
		{"preempts later", often, true, 3},
		{"stays BACKUP", often, false, 1},
		// The last answer before it wakes has turned the switch to its port,
		// and nobody asks again.
		{"asked once", once, true, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := lab.NewPair(t, 2)
			daemons := directors(t, p, lab.Director{Options: fmt.Sprintf("preempt = %v", c.preempt)})
			v := keepVigil(t, p)
			every := ask(p)
			for range c.rounds {
				capture, inside := p.Directors[0].Wires["eth0"].Capture(), p.Directors[0].Wires["eth1"].Capture()
				daemons[0].Signal(unix.SIGSTOP)
				daemons[1].AwaitState(t, "MASTER")
				adverts(t, p.Directors[1], 3)
				asked := capture.Count(spokeAsMaster)
				quiet := every(c.asking)
				capture.Await(t, 5*time.Second, "an answer of the kernel", asked+1, spokeAsMaster)
				woken := time.Now()
				daemons[0].Signal(unix.SIGCONT)
				adverts(t, p.Directors[1], 1)
				if c.preempt {
					daemons[0].AwaitState(t, "MASTER")
				} else {
					adverts(t, p.Directors[1], 6)
					daemons[0].AwaitState(t, "BACKUP")
				}
				quiet()
				onlySpokeWhileMaster(t, p.Directors[0], daemons[0], capture, woken)
				firstAdvert(t, daemons[0], "outside", capture.Frames(lab.Advertised(51)), woken)
				firstAdvert(t, daemons[0], "inside", inside.Frames(lab.Advertised(52)), woken)
			}
			v.end(t)
		})
	}
}

// firstAdvert fails the test if the director sent an advert between waking and
// being elected again; no grace applies here.
func firstAdvert(t *testing.T, d *lab.Daemon, router string, adverts []lab.Frame, woken time.Time) {
	t.Helper()
	elected := time.Now()
	stepped := false
	for _, e := range events(t, d, 0).Of("instance") {
		if e.Subject != router || e.At.Before(woken) {
			continue
		}
		stepped = stepped || e.To == "BACKUP"
		if e.To == "MASTER" {
			elected = e.At
		}
	}
	if !stepped {
		t.Errorf("%s did not step down:\n%v", router, events(t, d, 0))
	}
	for _, f := range adverts {
		if f.Time.After(woken) && f.Time.Before(elected) {
			t.Errorf("%s: an advert %v after waking, before being elected again: % x", router, f.Time.Sub(woken), f.Bytes)
		}
	}
}
