package vrrp

import (
	"slices"
	"time"
)

// exercise lets one thing happen in calm, of which it is known what must follow
// and how soon.
func (l *lan) exercise() {
	master := l.checkQuiet()
	if master == nil {
		return
	}
	if l.redundant && l.chance(0.4) {
		l.exercisePaths(master)
		l.calm()
		return
	}
	switch l.rng.IntN(8 + l.exercisesFast()) {
	case 0:
		l.exerciseDeath(master)
	case 1:
		l.exerciseStop(master)
	case 2:
		l.exerciseDemotion(master)
	case 3:
		l.exerciseReload()
	case 4:
		l.exerciseSleep(master)
	case 5:
		l.exerciseBackupSleep(master)
	case 6:
		l.exerciseBackupDeath(master)
	case 7:
		l.exerciseRegroup()
	default:
		l.exerciseFast(master)
	}
	l.gapless = false
	l.calm()
}

// slack is what clocks, wires and devices may add to a time of the protocol.
func (l *lan) slack(d time.Duration) time.Duration {
	return d/20 + 2*l.workMax + 2*weather
}

// successor returns the longest that the remaining directors may wait, by
// their configuration, for what wait says of one of them.
func (l *lan) successor(master *node, wait func(Config) time.Duration) time.Duration {
	shortest := time.Duration(-1)
	for _, n := range l.nodes {
		if n == master || !n.on {
			continue
		}
		if d := wait(n.cfgs[0]); shortest < 0 || d < shortest {
			shortest = d
		}
	}
	return shortest
}

// A dead MASTER is replaced within the master-down interval of the highest
// priority that is left, and not an interval earlier.
func (l *lan) exerciseDeath(master *node) {
	interval := master.cfgs[0].Interval
	l.run(l.between(0, interval))
	bound := l.successor(master, func(c Config) time.Duration {
		return c.masterDown(c.Priority, interval)
	})
	if l.fast {
		l.exerciseFastDeath(master, bound)
		return
	}
	l.note("death of %s, to be replaced within %v", master.name, bound)
	began := l.now
	master.kill()
	took := l.waitForMaster(bound + l.slack(bound))
	if took < 0 {
		l.fail("%s died at %v; nobody replaced it within %v", master.name, began, bound)
	} else if took < bound-interval-l.slack(bound) {
		l.fail("%s died at %v and was replaced after %v already", master.name, began, took)
	}
	l.rest()
	l.note("%s comes back", master.name)
	l.gapless = true
	master.start()
}

// A MASTER that stops is replaced within a skew time, and somebody serves all
// the while.
func (l *lan) exerciseStop(master *node) {
	interval := master.cfgs[0].Interval
	l.run(l.between(0, interval))
	bound := l.successor(master, func(c Config) time.Duration {
		return skewTime(c.Version, c.Priority, interval)
	})
	l.note("stop of %s, to be replaced within %v", master.name, bound)
	l.gapless = l.exact
	master.stepAll(Stop{})
	if l.waitForMaster(bound+l.slack(bound)) < 0 {
		l.fail("%s stopped; nobody replaced it within %v", master.name, bound)
	}
	l.rest()
	l.gapless = true
}

// A MASTER that falls below the others is preempted without a gap, if one of
// them preempts.
func (l *lan) exerciseDemotion(master *node) {
	if master.cfgs[0].Priority == PriorityOwner {
		return
	}
	l.note("weigh %s down", master.name)
	l.gapless = true
	master.stepAll(TrackerWeight{-254})
	l.rest()
	preempts := func(n *node) bool {
		return n != master && n.cfgs[0].Priority > 1 && n.cfgs[0].Preempt
	}
	if master.state() == Master && slices.ContainsFunc(l.nodes, preempts) {
		l.fail("%s is still MASTER with priority 1", master.name)
	}
}

// A new interval or address list on any director changes nobody's state. In
// version 2 the interval is common to all.
func (l *lan) exerciseReload() {
	n := l.nodes[l.rng.IntN(len(l.nodes))]
	before := l.transitions()
	for i := range n.cfgs {
		c := n.cfgs[i]
		if c.Version == 3 {
			c.Interval = l.anyInterval(3)
		}
		c.Addresses = addresses(c.Family, 1+l.rng.IntN(4))
		n.cfgs[i].Interval = c.Interval
		n.cfgs[i].Addresses = c.Addresses
	}
	for i := range n.cfgs {
		n.cfgs[i].Interval = n.cfgs[0].Interval
		n.step(i, Reconfigure{Config: n.cfgs[i]})
	}
	l.note("reload %s with interval %v", n.name, n.cfgs[0].Interval)
	l.gapless = true
	l.rest()
	if after := l.transitions(); after != before {
		l.fail("a reload of %s led to %d transitions", n.name, after-before)
	}
}

// A group that is taken apart and put together again changes nobody's state.
func (l *lan) exerciseRegroup() {
	n := l.nodes[l.rng.IntN(len(l.nodes))]
	before := l.transitions()
	l.gapless = true
	l.note("take the group of %s apart", n.name)
	n.takeApart()
	l.run(l.between(0, 12*n.cfgs[0].Interval))
	l.note("put the group of %s together", n.name)
	n.putTogether()
	l.rest()
	if after := l.transitions(); after != before {
		l.fail("two reloads of %s led to %d transitions", n.name, after-before)
	}
}

// takeApart makes a group of each port.
func (n *node) takeApart() {
	var groups [][]int
	for i := range n.ports {
		groups = append(groups, []int{i})
	}
	n.regroup(groups...)
}

// putTogether makes one group of all ports.
func (n *node) putTogether() {
	var all []int
	for i := range n.ports {
		all = append(all, i)
	}
	n.regroup(all)
}

func (l *lan) transitions() (sum uint64) {
	for _, n := range l.nodes {
		for i := range n.ports {
			sum += n.machine(i).Status().Counters.Transitions
		}
	}
	return sum
}

// A MASTER that sleeps long enough to be replaced finds that out before it
// sends anything.
func (l *lan) exerciseSleep(master *node) {
	interval := master.cfgs[0].Interval
	l.note("%s falls asleep", master.name)
	master.pause()
	l.touched = l.now
	l.run(l.between(6*interval, 20*interval))
	before := master.sentAdverts()
	l.note("%s wakes", master.name)
	master.resume()
	if sent := master.sentAdverts() - before; sent > 0 || master.state() == Master {
		l.fail("%s slept, and when it woke it was %v and sent %d adverts", master.name, master.state(), sent)
	}
}

func (n *node) sentAdverts() (sum uint64) {
	for i := range n.ports {
		c := n.machine(i).Status().Counters
		sum += c.Sent - c.StopSent
	}
	return sum
}

// A BACKUP that sleeps has missed nothing: what waits in its socket comes
// before its timer.
func (l *lan) exerciseBackupSleep(master *node) {
	n := l.nodes[l.rng.IntN(len(l.nodes))]
	if n == master {
		return
	}
	before := l.transitions()
	l.note("%s falls asleep", n.name)
	n.pause()
	l.run(l.between(0, 20*master.cfgs[0].Interval))
	l.note("%s wakes", n.name)
	n.resume()
	l.rest()
	if after := l.transitions(); after != before {
		l.fail("the sleep of the BACKUP %s led to %d transitions", n.name, after-before)
	}
}

// The death of a BACKUP changes nothing.
func (l *lan) exerciseBackupDeath(master *node) {
	n := l.nodes[l.rng.IntN(len(l.nodes))]
	if n == master {
		return
	}
	l.note("death of the BACKUP %s", n.name)
	n.kill()
	l.gapless = true
	before := master.groups[0].Since()
	l.rest()
	if master.state() != Master || master.groups[0].Since() != before {
		l.fail("the death of the BACKUP %s moved the MASTER", n.name)
	}
}

// rest lets calm time go by.
func (l *lan) rest() {
	interval, delay := l.longest()
	l.run(12*interval + delay)
}

// waitForMaster runs until some director is MASTER, at most for bound, and
// returns how long that took, or -1.
func (l *lan) waitForMaster(bound time.Duration) time.Duration {
	began := l.now
	for l.now-began < bound && !l.halted {
		if slices.ContainsFunc(l.nodes, func(n *node) bool { return n.on && n.state() == Master }) {
			return l.now - began
		}
		l.run(time.Millisecond)
	}
	return -1
}
