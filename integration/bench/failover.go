package main

import (
	"time"

	"holdfast/integration/lab"
)

// A failure is what happens to the MASTER without notice.
type failure struct {
	name string
	// strike makes it happen and returns the function that repairs it.
	strike func(a *arena) (repair func())
	only   string // the contender, if only one has what it takes
}

var failures = []failure{
	{name: "cut", strike: func(a *arena) func() { // the carrier goes
		return onWires(a, (*lab.Wire).Cut, (*lab.Wire).Replug)
	}},
	{name: "blackhole", strike: func(a *arena) func() { // the director sees nothing
		return onWires(a, (*lab.Wire).BlackHole, (*lab.Wire).Restore)
	}},
	{name: "kill", strike: func(a *arena) func() { // its kernel goes on serving
		a.directors[0].process().Crash()
		return a.directors[0].restart
	}},
	{name: "kill+release", only: holdfast.name, strike: func(a *arena) func() { // as the service manager does
		a.directors[0].process().Crash()
		if err := a.directors[0].release(); err != nil {
			a.t.Errorf("release: %v", err)
		}
		return a.directors[0].restart
	}},
}

func onWires(a *arena, spoil, mend func(*lab.Wire)) func() {
	wires := a.pair.Directors[0].Wires
	spoil(wires["eth0"])
	spoil(wires["eth1"])
	return func() {
		mend(wires["eth0"])
		mend(wires["eth1"])
	}
}

// runFailovers runs all rows. At 1 s the failures run at the same time, each in its
// own networks; at shorter intervals they run one after the other. The contenders
// alternate, at the same phases.
func runFailovers(o options) []*row {
	var rows []*row
	for _, interval := range o.intervals {
		var all []*heat
		for _, f := range failures {
			heats := takeTurns(o.failoverHeats(f, interval)...)
			if interval >= time.Second {
				all = append(all, heats...)
			} else {
				rows = append(rows, together(heats...)...)
			}
		}
		rows = append(rows, together(all...)...)
	}
	return rows
}

func (o options) failoverHeats(f failure, interval time.Duration) []*heat {
	var heats []*heat
	for _, c := range contenders {
		if f.only != "" && f.only != c.name {
			continue
		}
		h := newHeat(o, "failover", f.name, interval, c, func(t lab.T, h *heat) {
			a := newArena(t, c, interval, false)
			for _, phase := range phases(o.seed, o.rounds) {
				h.failover(a, f, phase)
			}
		})
		if h != nil {
			h.row.bounds = failoverBounds(c, f)
		}
		heats = append(heats, h)
	}
	return heats
}

// failoverBounds are relative to the floor, which the protocol sets. Outages are
// measured with a resolution of one probe.
func failoverBounds(c contender, f failure) []bound {
	if c.name != holdfast.name {
		return nil
	}
	bounds := []bound{
		atMost("failback lost", theTotal, 0), atMost("failback lost inside", theTotal, 0), atMost("MAC changes", theTotal, 0),
	}
	switch f.name {
	case "kill+release":
		return append(bounds, atMost("lost", theTotal, 0), atMost("lost inside", theTotal, 0))
	case "kill":
	default:
		bounds = append(bounds, noMoreThanKeepalived("outage ms", theMedian, milliseconds(pulse)))
	}
	return append(bounds, atMost("above floor ms", theMedian, 3),
		noMoreThanKeepalived("above floor ms", theMedian, milliseconds(pulse)))
}

// failover lets the first director fail, at a phase of its interval, and come
// back.
func (h *heat) failover(a *arena, f failure, phase float64) {
	second := a.pair.Directors[1].Wires["eth0"].Capture()
	atRouter := a.pair.Router.Wires["eth0"].CaptureAdverts()
	changes, watching := a.changes(), a.probeVirtual()
	h.turn.Lock()
	exclusive := true
	yield := func() {
		if exclusive {
			h.turn.Unlock()
		}
		exclusive = false
	}
	defer yield()
	a.sleepUntilPhase(0, phase, atRouter)
	failed := time.Now()
	answered, advertised := since(failed, served), since(failed, heard(1))
	repair := f.strike(a)
	second.Await(a.t, a.limit(), "an answer of the second director", 1, answered)
	watching.watchInterval()
	if a.interval >= 100*time.Millisecond {
		yield() // nothing of what follows is timed
	}
	vip, dip := watching.vip.Stop(), watching.dip.Stop()
	first := second.Frames(answered)[0].Time
	atRouter.Await(a.t, a.limit(), "an advert of the second director", 1, advertised)
	advert := atRouter.Frames(advertised)[0].Time
	floor := floorOf(a, atRouter, advert)
	a.close(second)
	a.close(atRouter)
	h.explainSlow(a, vip.Worst().Duration())

	watching = a.probeVirtual()
	repair()
	a.awaitMaster(0)
	watching.watch(100)
	backVIP, backDIP := watching.vip.Stop(), watching.dip.Stop()
	changed := a.changes() - changes
	h.note(func(r *row) {
		if f.only == "" {
			r.add("outage ms", spread, milliseconds(vip.Worst().Duration())).ratio = true
			r.add("above floor ms", spread, milliseconds(first.Sub(floor)))
			r.add("advert above floor ms", spread, milliseconds(advert.Sub(floor)))
		}
		r.add("lost", spread, float64(vip.Lost))
		r.add("lost inside", spread, float64(dip.Lost))
		r.add("failback lost", losses, float64(backVIP.Lost))
		r.add("failback lost inside", losses, float64(backDIP.Lost))
		r.add("MAC changes", losses, float64(changed))
		r.add("probe late ms", spread, milliseconds(vip.LatestSend))
	}, "outage %.1f ms (%d lost), %.2f ms above the floor; failback: %d and %d lost; %d MAC changes", milliseconds(vip.Worst().Duration()),
		vip.Lost, milliseconds(first.Sub(floor)), backVIP.Lost, backDIP.Lost, changed)
}

// floorOf returns when the second director may take over: its Master_Down_Interval
// after the last advert of the first director that crossed the wire before that.
// Later adverts of the first one are no longer received.
func floorOf(a *arena, atRouter *lab.Capture, taken time.Time) time.Time {
	var last time.Time
	for _, f := range atRouter.Frames(heard(0)) {
		if f.Time.Before(taken) {
			last = f.Time
		}
	}
	return last.Add(masterDown(a.interval))
}
