package main

import (
	"fmt"
	"net/netip"
	"time"

	"holdfast/integration/lab"
)

// A renewal changes the MASTER's program or configuration, which need not change who
// is MASTER.
type renewal struct {
	name string
	do   func(h *heat, a *arena) (measure string, took time.Duration)
}

// addedVIP comes and goes by reloads.
const addedVIP = "10.0.0.101"

var renewals = []renewal{
	// The binary is replaced: holdfast upgrades in place, keepalived restarts.
	{name: "new binary", do: func(_ *heat, a *arena) (string, time.Duration) {
		began := time.Now()
		if err := a.directors[0].renew(); err != nil {
			a.t.Fatalf("%v", err)
		}
		return "command ms", time.Since(began)
	}},
	// A virtual address comes with one reload and goes with the next.
	{name: "reload", do: func(_ *heat, a *arena) (string, time.Duration) {
		watch := a.pair.Directors[0].WatchAddresses()
		began := time.Now()
		a.reload(addedVIP + "/24")
		added := netip.MustParseAddr(addedVIP)
		var up time.Time
		lab.Wait(a.t, a.limit(), "the added address", func() (string, bool) {
			up = watch.Up()[added]
			return "not on the MASTER", !up.IsZero()
		})
		a.awaitMaster(0)
		a.reload()
		lab.Wait(a.t, a.limit(), "the end of the added address", func() (string, bool) {
			return "still on the MASTER", watch.Up()[added].IsZero()
		})
		if err := watch.Stop(); err != nil {
			a.t.Errorf("%v", err)
		}
		return "address up ms", up.Sub(began)
	}},
}

// reload gives both directors a configuration with further addresses.
func (a *arena) reload(more ...string) {
	for i, d := range a.directors {
		if err := d.reload(a.setup(i, more...)); err != nil {
			a.t.Fatalf("reload: %v", err)
		}
	}
}

func runInPlace(o options) []*row {
	var rows []*row
	for _, interval := range o.intervals {
		if interval < 100*time.Millisecond {
			continue
		}
		var all []*heat
		for _, n := range renewals {
			for _, c := range contenders {
				h := newHeat(o, "inplace", n.name, interval, c, func(t lab.T, h *heat) {
					a := newArena(t, c, interval, true)
					for range o.renewals {
						h.inPlace(a, n)
					}
				})
				if h != nil && c.name == holdfast.name {
					h.row.bounds = []bound{
						atMost("lost", theTotal, 0), atMost("lost through", theTotal, 0),
						atMost("changes of MASTER", theTotal, 0), atMost("MAC changes", theTotal, 0),
					}
				}
				all = append(all, h)
			}
		}
		rows = append(rows, together(all...)...)
	}
	return append(rows, runCrowdRenewals(o)...)
}

// crowded is how many virtual routers change their binary at once, at the shortest
// sensible interval for that number.
const (
	crowded         = 1000
	crowdedInterval = 100 * time.Millisecond
)

func runCrowdRenewals(o options) []*row {
	var all []*heat
	for _, c := range contenders {
		h := newHeat(o, "inplace", fmt.Sprintf("new binary of %d", crowded), crowdedInterval, c, func(t lab.T, h *heat) {
			h.renewCrowd(newCrowd(t, c, crowded, crowdedInterval), o.renewals)
		})
		if h != nil && c.name == holdfast.name {
			// Others wait for three intervals and the skew time.
			h.row.bounds = []bound{
				atMost("adverts of BACKUP", theTotal, 0), atMost("silent ms", theMaximum, 3*milliseconds(crowdedInterval)),
			}
		}
		all = append(all, h)
	}
	return together(all...)
}

// renewCrowd measures for how long no advert of a virtual router is sent.
func (h *heat) renewCrowd(c *crowd, times int) {
	first := c.captures(0)
	master := c.contender.launch(c.hosts[0], c.setup(0))
	c.awaitAll(0, first)
	c.contender.launch(c.hosts[1], c.setup(1))
	for range times {
		said, heard := c.captures(0), c.captures(1)
		c.awaitEach(0, said)
		if err := master.renew(); err != nil {
			c.t.Fatalf("%v", err)
		}
		c.awaitAll(0, c.captures(0))
		c.stop(said)
		c.stop(heard)
		silent := greatest(late(0, streams(said...)...))
		spurious := 0
		for _, s := range streams(heard...) {
			spurious += len(s)
		}
		h.note(func(r *row) {
			r.add("silent ms", spread, silent)
			r.add("adverts of BACKUP", losses, float64(spurious))
		}, "silent for %.0f ms, %d adverts of the BACKUP", silent, spurious)
	}
}

func (h *heat) inPlace(a *arena, n renewal) {
	changes := a.changes()
	atRouter := a.pair.Router.Wires["eth0"].CaptureAdverts()
	watching := a.probeThrough()
	measure, took := n.do(h, a)
	a.awaitMaster(0)
	watching.watch(100)
	vip, through := watching.vip.Stop(), watching.through.Stop()
	a.close(atRouter)
	flips := flips(atRouter)
	changed := a.changes() - changes
	h.note(func(r *row) {
		r.add(measure, spread, milliseconds(took))
		r.add("lost", losses, float64(vip.Lost))
		r.add("lost through", losses, float64(through.Lost))
		r.add("changes of MASTER", losses, float64(flips))
		r.add("MAC changes", losses, float64(changed))
	}, "lost %d, through %d; %d changes of MASTER, %d MAC changes", vip.Lost, through.Lost, flips, changed)
}

// flips counts how often adverts came from another director than the one
// before.
func flips(atRouter *lab.Capture) int {
	n := 0
	var before netip.Addr
	for _, f := range atRouter.Frames(func(f lab.Frame) bool { return heard(0)(f) || heard(1)(f) }) {
		advert, _ := f.Advert()
		if before.IsValid() && advert.Source != before {
			n++
		}
		before = advert.Source
	}
	return n
}
