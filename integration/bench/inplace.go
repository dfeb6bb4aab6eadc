package main

import (
	"net/netip"
	"time"

	"holdfast/integration/lab"
)

// A renewal is a change of the MASTER that need not change mastership.
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
	return rows
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
