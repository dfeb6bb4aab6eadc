package vrrp

import (
	"flag"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var fastSeconds = flag.Int64("lan.fastseconds", 0, "simulated seconds of TestFastLAN; 0 means 5,000, when short 2,000, under the race detector 500")

// TestFastLAN plays LANs as TestLAN does, with a BFD session between the MASTER and
// each BACKUP. Beside the promises of TestLAN: a dead MASTER is replaced within the
// detection time, by one router; and none is replaced while it can answer.
func TestFastLAN(t *testing.T) {
	if *lanSeed != 0 {
		l := newLANWith(*lanSeed, true)
		l.tell = func(line string) { t.Log(line) }
		l.play()
		if l.failed != "" {
			t.Errorf("seed %d: %s", *lanSeed, l.failed)
		}
		return
	}
	want := time.Duration(*fastSeconds) * time.Second
	switch {
	case want != 0:
	case raceDetector:
		want = 500 * time.Second
	case testing.Short():
		want = 2_000 * time.Second
	default:
		want = 5_000 * time.Second
	}
	var seed, takeovers, flaps, single atomic.Uint64
	var played atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for time.Duration(played.Load()) < want && !t.Failed() {
				l := newLANWith(seed.Add(1), true)
				l.play()
				played.Add(int64(l.now))
				takeovers.Add(l.fastTakeovers)
				flaps.Add(l.fastFlaps)
				single.Add(l.fastDeaths)
				if l.failed != "" {
					t.Error(retell(l))
				}
			}
		})
	}
	wg.Wait()
	if single.Load() == 0 || takeovers.Load() == 0 || flaps.Load() == 0 {
		t.Error("no MASTER was replaced by its session, or no session went down without cause: the test proves nothing")
	}
	t.Logf("%d LANs, %d simulated seconds, %d takeovers by session (%d of calm LANs with every BACKUP armed), %d sessions down without cause",
		seed.Load(), int64(time.Duration(played.Load()).Seconds()), takeovers.Load(), single.Load(), flaps.Load())
}

// populateFast gives the directors sessions.
func (l *lan) populateFast(c *Config) {
	if !l.fast {
		return
	}
	c.Fast = true
	l.mixed = l.chance(0.2)
	l.bfd = min(max(c.Interval/30, 10*time.Millisecond), 100*time.Millisecond)
}

// foulFast disturbs the packets of BFD alone.
func (l *lan) foulFast() {
	if l.fast {
		l.bfdLoss = pick(l, 0, 0, 0.3, 0.9)
	}
}

// mischiefsFast returns how many more kinds of mischief there are.
func (l *lan) mischiefsFast() int {
	if l.fast {
		return 3
	}
	return 0
}

func (l *lan) mischiefFast(n *node, i, what int) {
	p := &n.ports[i]
	switch what {
	case 0:
		p.deaf = !p.deaf
		l.note("%s is deaf: %v", n.portName(i), p.deaf)
	case 1:
		p.dumb = !p.dumb
		l.note("%s is dumb: %v", n.portName(i), p.dumb)
	case 2:
		p.bfdCut = !p.bfdCut
		l.note("BFD of %s is cut: %v", n.portName(i), p.bfdCut)
	}
}

func (p *port) mend() { p.deaf, p.dumb, p.bfdCut = false, false, false }

// armed reports whether all members of a BACKUP count on their sessions.
func (n *node) armed() bool {
	for i := range n.ports {
		if !n.machine(i).armed(n.clock()) {
			return false
		}
	}
	return n.state() == Backup
}

// pardon makes sessions count again that went down without cause.
func (n *node) pardon() {
	for i := range n.ports {
		f := &n.machine(i).fast
		f.flaps, f.heldUntil = 0, time.Time{}
	}
}

// checkFast checks that in calm every BACKUP counts on its session, and forgives the
// sessions that went down in the time of troubles.
func (l *lan) checkFast() {
	if !l.fast {
		return
	}
	for _, n := range l.nodes {
		if n.on {
			n.pardon()
		}
		if !l.mixed && n.on && n.state() == Backup && !n.armed() {
			l.fail("%s does not count on its session: %+v", n.name, n.machine(0).fastStatus(n.clock()))
		}
	}
	l.countFast()
}

// countFast adds up what happened since the last call.
func (l *lan) countFast() {
	l.fastTakeovers, l.fastFlaps = 0, 0
	for _, n := range l.nodes {
		for i := range n.ports {
			if n.on {
				c := n.machine(i).counters
				l.fastTakeovers += c.FastTakeovers
				l.fastFlaps += c.FastFlaps
			}
		}
	}
}

// best returns the BACKUP with the best claim.
func (l *lan) best(master *node) *node {
	var best *node
	for _, n := range l.nodes {
		if n == master || !n.on {
			continue
		}
		lead := func(n *node) *Machine {
			i := slices.IndexFunc(n.ports, func(p port) bool { return p.group.Member(p.member).leads || len(n.ports) == 1 })
			return n.machine(i)
		}
		if best == nil || lead(n).Priority() > lead(best).Priority() ||
			lead(n).Priority() == lead(best).Priority() && lead(best).primary.Less(lead(n).primary) {
			best = n
		}
	}
	return best
}

// A dead MASTER is replaced within the detection time and the grace, by the BACKUP
// with the best claim alone, if all count on their sessions. In any case it is replaced
// as soon as without sessions.
func (l *lan) exerciseFastDeath(master *node, plain time.Duration) {
	best, armed := l.best(master), true
	for _, n := range l.nodes {
		armed = armed && (n == master || !n.on || n.armed())
	}
	bound := plain
	if armed {
		bound = min(plain, detectionMultiplier*l.bfd+max(l.bfd, fastGraceMin))
	}
	l.note("death of %s, to be replaced within %v, every BACKUP is armed: %v", master.name, bound, armed)
	began := l.now
	master.kill()
	moves := l.becameMaster()
	if l.waitForMaster(bound+l.slack(bound)) < 0 {
		l.fail("%s died at %v; nobody replaced it within %v", master.name, began, bound)
	}
	l.rest()
	if n := l.becameMaster() - moves; armed && plain > bound+l.slack(bound) && (n != 1 || best.state() != Master) {
		l.fail("%s died, and its place was taken %d times; %s is %v", master.name, n, best.name, best.state())
	}
	if armed {
		l.fastDeaths++
	}
	l.note("%s comes back", master.name)
	l.gapless = true
	master.start()
}

// becameMaster counts how often a director became MASTER.
func (l *lan) becameMaster() (sum uint64) {
	for _, n := range l.nodes {
		if n.on {
			sum += n.machine(0).counters.BecameMaster
		}
	}
	return sum
}

func (l *lan) exercisesFast() int {
	if l.fast {
		return 6
	}
	return 0
}

// exerciseFast breaks the path of the sessions in a way that leaves the MASTER's
// adverts alone: nobody may move.
func (l *lan) exerciseFast(master *node) {
	before := l.transitions()
	backup := l.nodes[l.rng.IntN(len(l.nodes))]
	wire := l.rng.IntN(len(l.wires))
	switch what := l.rng.IntN(6); {
	case what == 5:
		l.exerciseNap(master)
		return
	case what == 0 || backup == master:
		l.note("BFD of the MASTER %s is cut", master.portName(wire))
		master.ports[wire].bfdCut = true
	case what == 1:
		l.note("BFD of %s is cut", backup.portName(wire))
		backup.ports[wire].bfdCut = true
	case what == 2:
		l.note("nothing of %s arrives", backup.portName(wire))
		backup.ports[wire].dumb = true
	case what == 3:
		l.note("nothing arrives at the MASTER %s", master.portName(wire))
		master.ports[wire].deaf = true
	case what == 4:
		l.note("packets of BFD are lost")
		l.bfdLoss = pick(l, 0.3, 0.6, 0.9)
	}
	l.rest()
	if after := l.transitions(); after != before {
		l.fail("a broken path of BFD led to %d transitions", after-before)
	}
}

// checkAccused checks that a MASTER which is replaced because of its session could not
// have answered: no director replaces one whose adverts arrive.
func (l *lan) checkAccused(n *node, member int) {
	p := &n.ports[member]
	for _, other := range l.nodes {
		i := slices.IndexFunc(other.ports, func(o port) bool { return o.wire == p.wire && o.source == n.machine(member).fast.accused })
		if i < 0 || !other.on || other.paused || other.machine(i).State() != Master {
			continue
		}
		o := &other.ports[i]
		blocked := o.cut || o.deaf || o.dumb || p.cut || p.deaf || p.dumb
		if !blocked && l.loss == 0 && l.delayMax <= weather && l.now-l.touched > time.Second {
			l.fail("%s takes over from %s, whose adverts arrive", n.portName(member), other.portName(i))
		}
	}
}

// A MASTER that sleeps for longer than the detection time, but not for as long as
// BACKUPs wait without sessions, is replaced. When it wakes, two routers are MASTER for
// an interval at most.
func (l *lan) exerciseNap(master *node) {
	interval := master.cfgs[0].Interval
	l.note("%s takes a nap", master.name)
	master.pause()
	l.touched = l.now
	l.run(l.between(0, 2*interval))
	l.note("%s wakes", master.name)
	master.resume()
	longest, _ := l.longest()
	l.run(longest + l.slack(longest))
	masters := 0
	for _, n := range l.nodes {
		if n.on && n.state() == Master {
			masters++
		}
	}
	if masters > 1 {
		l.fail("an interval after %s woke, %d directors are MASTER", master.name, masters)
	}
}
