package vrrp

import (
	"time"
)

// --- troubles

func (l *lan) fair() {
	l.loss, l.duplicate, l.reorder, l.claimLoss, l.bfdLoss = 0, 0, false, 0, 0
	l.delayMin, l.delayMax = 50*time.Microsecond, weather
}

func (l *lan) foul() {
	interval, _ := l.longest()
	l.loss = pick(l, 0, 0.01, 0.1, 0.3)
	l.duplicate = pick(l, 0, 0.1)
	l.reorder = l.chance(0.5)
	l.delayMax = pick(l, weather, interval/20, interval/3, 2*interval)
	l.claimLoss = pick(l, 0, 0, 0.2)
	l.parts = pick(l, 0, 0.5, 1)
	l.foulFast()
}

// troubles lets random things happen for a random time.
func (l *lan) troubles() {
	interval, _ := l.longest()
	for range 3 + l.rng.IntN(20) {
		l.foul()
		l.mischief()
		l.run(l.between(0, 4*interval))
	}
}

// mischief does one random thing to one random director.
func (l *lan) mischief() {
	l.touched = l.now
	n := l.nodes[l.rng.IntN(len(l.nodes))]
	i := l.rng.IntN(len(n.ports))
	if !n.on {
		l.note("start %s", n.name)
		n.start()
		return
	}
	what := l.rng.IntN(13 + l.mischiefsFast())
	if n.paused && what > 3 { // the daemon cannot hear of the rest
		l.note("resume %s", n.name)
		n.resume()
		return
	}
	switch what {
	case 0:
		l.note("kill %s", n.name)
		n.kill()
	case 1, 2:
		if l.mischiefPath(n, i) {
			return
		}
		n.ports[i].cut = !n.ports[i].cut
		l.note("cut %s: %v", n.portName(i), n.ports[i].cut)
	case 3:
		l.partition(i)
	case 4:
		l.note("pause %s", n.name)
		n.pause()
	case 5:
		l.note("stop %s", n.name)
		n.stepAll(Stop{})
	case 6:
		lost := l.chance(0.5)
		l.note("fault %s (wire lost: %v)", n.portName(i), lost)
		n.step(i, Faulted{Key: "link", Problem: "broken", WireLost: lost})
	case 7:
		l.note("recover %s", n.portName(i))
		n.step(i, Recovered{"link"})
	case 8:
		sum := l.rng.IntN(500) - 250
		l.note("weigh %s %d", n.portName(i), sum)
		n.step(i, TrackerWeight{sum})
	case 9:
		l.reconfigure(n)
	case 10:
		n.ports[i].claimFails = !n.ports[i].claimFails
		l.note("claims of %s fail: %v", n.portName(i), n.ports[i].claimFails)
	case 11:
		if len(n.groups) > 1 {
			l.note("put the group of %s together", n.name)
			n.putTogether()
		} else {
			l.note("take the group of %s apart", n.name)
			n.takeApart()
		}
	case 12:
		why := []string{"", "because"}[l.rng.IntN(2)]
		l.note("hold preemption of %s: %q", n.name, why)
		n.stepAll(HoldPreempt{why})
	default:
		l.mischiefFast(n, i, what-13)
	}
}

// partition cuts half of the directors off a wire. Those that were cut before
// come back.
func (l *lan) partition(wire int) {
	l.note("partition %s", l.wires[wire])
	for _, n := range l.nodes {
		n.ports[wire].cut = l.chance(0.5)
	}
}

// reconfigure changes something, for all members alike. A version 2 interval
// is the same for all directors, or they would not hear each other.
func (l *lan) reconfigure(n *node) {
	c := n.cfgs[0]
	list := c.Addresses
	switch l.rng.IntN(4) {
	case 0:
		if c.Priority != PriorityOwner {
			c.Priority = l.anyPriority(false)
		}
	case 1:
		c.Preempt = !c.Preempt
		c.PreemptDelay, c.MinHold = 0, 0
	case 2:
		if c.Version == 3 {
			c.Interval = l.anyInterval(3)
		}
	case 3:
		list = addresses(c.Family, 1+l.rng.IntN(4))
	}
	l.note("reconfigure %s: priority %d interval %v preempt %v, %d addresses",
		n.name, c.Priority, c.Interval, c.Preempt, len(list))
	for i := range n.cfgs {
		own := n.cfgs[i]
		own.Priority, own.Preempt, own.PreemptDelay, own.MinHold, own.Interval, own.Addresses =
			c.Priority, c.Preempt, c.PreemptDelay, c.MinHold, c.Interval, list
		n.cfgs[i] = own
		n.step(i, Reconfigure{Config: own})
	}
}

// --- calm

// calm mends everything, waits as long as the protocol may need, and checks.
func (l *lan) calm() {
	l.note("calm")
	l.fair()
	for _, n := range l.nodes {
		l.repair(n)
	}
	interval, delay := l.longest()
	l.run(9*interval + 2*delay + time.Second)
	master := l.checkQuiet()
	l.checkFast()
	for range 8 {
		l.run(interval / 2)
		if now := l.checkQuiet(); now != master {
			l.fail("MASTER changed from %v to %v in calm", nameOf(master), nameOf(now))
		}
	}
}

func nameOf(n *node) string {
	if n == nil {
		return "nobody"
	}
	return n.name
}

// repair makes a director well. A stopped daemon is started anew.
func (l *lan) repair(n *node) {
	for i := range n.ports {
		n.ports[i].cut = false
		n.ports[i].claimFails = false
		n.ports[i].mendAlso()
		n.ports[i].mend()
	}
	if n.on && n.state() == Init {
		n.kill()
	}
	if !n.on {
		n.start()
		return
	}
	n.resume()
	n.stepAll(HoldPreempt{})
	if len(n.groups) > 1 {
		n.putTogether()
	}
	for i := range n.ports {
		n.step(i, Recovered{"link"})
		n.step(i, Recovered{claimFault})
		n.step(i, TrackerWeight{0})
	}
}
