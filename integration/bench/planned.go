package main

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
)

// A departure is a planned switch to the second director, and back.
type departure struct {
	name  string
	only  string // the contender, if only one can
	leave func(a *arena) error
	back  func(a *arena) error
}

var departures = []departure{
	{
		name: "stop", // SIGTERM; started again it preempts
		leave: func(a *arena) error {
			a.directors[0].process().Signal(unix.SIGTERM)
			return nil
		},
		back: func(a *arena) error {
			a.directors[0].process().Wait(20 * time.Second)
			a.directors[0].restart()
			return nil
		},
	},
	{
		name: "handover", only: holdfast.name, // and asked to, back
		leave: func(a *arena) error { return a.directors[0].handover() },
		back:  func(a *arena) error { return a.directors[1].handover() },
	},
}

// slowLanes is the number of networks that share the rounds at 1 s. These rounds are
// long, and their counts are not affected by others that run beside them.
const slowLanes = 2

func runPlanned(o options) []*row {
	var rows []*row
	for _, interval := range o.intervals {
		var all []*heat
		for _, d := range departures {
			heats := takeTurns(o.plannedHeats(d, interval)...)
			if interval < time.Second {
				rows = append(rows, together(heats...)...)
				continue
			}
			for _, h := range heats {
				all = append(all, lanes(h, slowLanes)...)
			}
		}
		rows = append(rows, together(all...)...)
	}
	return rows
}

func (o options) plannedHeats(d departure, interval time.Duration) []*heat {
	var heats []*heat
	for _, c := range contenders {
		if d.only != "" && d.only != c.name {
			continue
		}
		h := newHeat(o, "planned", d.name, interval, c, func(t lab.T, h *heat) {
			a := newArena(t, c, interval, true)
			for i, phase := range phases(o.seed, o.planned) {
				if interval < time.Second || i%slowLanes == h.lane {
					h.planned(a, d, phase)
				}
			}
		})
		if h != nil && c.name == holdfast.name {
			h.row.bounds = []bound{
				atMost("lost", theTotal, 0), atMost("lost through", theTotal, 0), atMost("back lost", theTotal, 0),
				atMost("back lost through", theTotal, 0), atMost("MAC changes", theTotal, 0),
			}
		}
		heats = append(heats, h)
	}
	return heats
}

// planned sends mastership to the second director and back.
func (h *heat) planned(a *arena, d departure, phase float64) {
	if a.interval < 100*time.Millisecond {
		h.turn.Lock()
		defer h.turn.Unlock()
	}
	changes := a.changes()
	atRouter := a.pair.Router.Wires["eth0"].CaptureAdverts()
	watching := a.probeThrough()
	a.sleepUntilPhase(0, phase, atRouter)
	left := time.Now()
	if err := d.leave(a); err != nil {
		a.t.Fatalf("%v", errors.Join(errors.New(d.name), err))
	}
	successor := since(left, heard(1)) // a BACKUP may have spoken before, without cause
	atRouter.Await(a.t, a.limit(), "an advert of the second director", 1, successor)
	took := atRouter.Frames(successor)[0].Time.Sub(left)
	a.awaitMaster(1)
	watching.watch(100)
	vip, through := watching.vip.Stop(), watching.through.Stop()
	a.close(atRouter)

	watching = a.probeThrough()
	if err := d.back(a); err != nil {
		a.t.Fatalf("%v", errors.Join(errors.New(d.name+" and back"), err))
	}
	a.awaitMaster(0)
	watching.watch(100)
	backVIP, backThrough := watching.vip.Stop(), watching.through.Stop()
	changed := a.changes() - changes
	h.note(func(r *row) {
		r.add("successor ms", spread, milliseconds(took))
		r.add("outage ms", spread, milliseconds(vip.Worst().Duration()))
		r.add("lost", losses, float64(vip.Lost))
		r.add("lost through", losses, float64(through.Lost))
		r.add("back lost", losses, float64(backVIP.Lost))
		r.add("back lost through", losses, float64(backThrough.Lost))
		r.add("MAC changes", losses, float64(changed))
	}, "lost %d, through %d; back: lost %d, through %d; %d MAC changes", vip.Lost, through.Lost, backVIP.Lost, backThrough.Lost, changed)
}
