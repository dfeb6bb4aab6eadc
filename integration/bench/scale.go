package main

import (
	"fmt"
	"time"

	"holdfast/integration/lab"
)

// vridsPerWire: with more virtual routers than this there are several wires,
// as VRIDs end at 255.
const vridsPerWire = 250

var scaleIntervals = []time.Duration{time.Second, 100 * time.Millisecond}

func runScale(o options) []*row {
	var rows []*row
	for _, n := range o.instances {
		for _, interval := range scaleIntervals {
			if o.quick && interval >= time.Second {
				continue
			}
			for _, c := range contenders {
				h := newHeat(o, "scale", fmt.Sprint(n), interval, c, func(t lab.T, h *heat) {
					h.scale(t, newCrowd(t, c, n, interval), o)
				})
				if h == nil {
					continue
				}
				if c.name == holdfast.name {
					h.row.bounds = scaleBounds(n, interval)
				}
				rows = append(rows, together(h)...)
			}
		}
	}
	return rows
}

// scaleBounds wants the most of what most people have: some tens of virtual routers at 1 s.
func scaleBounds(n int, interval time.Duration) []bound {
	share := 1.0
	if n <= 50 && interval == time.Second {
		share = 0.9
	}
	return []bound{
		mostOfDue(99.9), timesOf("µs/advert", theMedian, share, keepalived.name),
		timesOf("BACKUP µs/advert", theMedian, share, keepalived.name), atMost("RSS MB", theMaximum, 40),
		atMost("listening ms", theMaximum, 1000), noMoreThanKeepalived("all MASTER ms", theMedian, 0),
		atMost("stop ms", theMaximum, 2000), atMost("stop alone ms", theMaximum, 2000),
		atMost("devices left", theTotal, 0), atMost("adverts of BACKUP", theTotal, 0),
	}
}

// A crowd is two directors with many virtual routers, each with its virtual
// MAC.
type crowd struct {
	t         lab.T
	contender contender
	n         int
	interval  time.Duration
	hosts     []*lab.Host
}

func newCrowd(t lab.T, c contender, n int, interval time.Duration) *crowd {
	l := lab.New(t)
	crowd := &crowd{t: t, contender: c, n: n, interval: interval}
	for i := range priorities {
		crowd.hosts = append(crowd.hosts, l.Host(fmt.Sprintf("lvs%d", i+1)))
	}
	for w := range crowd.wires() {
		wire := l.Switch(fmt.Sprintf("wire%d", w))
		for i, host := range crowd.hosts {
			host.Plug(wire, crowd.device(w), fmt.Sprintf("10.%d.0.%d/16", w, i+2))
		}
	}
	return crowd
}

func (c *crowd) wires() int          { return (c.n + vridsPerWire - 1) / vridsPerWire }
func (c *crowd) device(w int) string { return fmt.Sprintf("eth%d", w) }

// setup is the configuration of one director.
func (c *crowd) setup(i int) setup {
	var s setup
	for k := range c.n {
		w, vrid := k/vridsPerWire, k%vridsPerWire+1
		s.routers = append(s.routers, router{
			name: fmt.Sprintf("v%d-%d", w, vrid), device: c.device(w), vrid: vrid, priority: priorities[i],
			interval: c.interval, addresses: []string{fmt.Sprintf("10.%d.1.%d/16", w, vrid)},
		})
	}
	return s
}

// captures records what a director says, and what it hears.
func (c *crowd) captures(i int) []*lab.Capture {
	var all []*lab.Capture
	for w := range c.wires() {
		all = append(all, c.hosts[i].Wires[c.device(w)].CaptureAdverts())
	}
	return all
}

// awaitAll waits until a director has advertised all virtual routers, ends the
// captures, and returns when the last one was advertised.
func (c *crowd) awaitAll(i int, captures []*lab.Capture) time.Time {
	last := c.awaitEach(i, captures)
	c.stop(captures)
	return last
}

// awaitEach waits until a director has advertised all virtual routers, and returns
// when the last one was advertised.
func (c *crowd) awaitEach(i int, captures []*lab.Capture) (last time.Time) {
	lab.Wait(c.t, 60*time.Second, "adverts of all virtual routers of "+c.hosts[i].Name, func() (string, bool) {
		all := streams(captures...)
		for _, s := range all {
			if s[0].After(last) {
				last = s[0]
			}
		}
		return fmt.Sprintf("%d of %d", len(all), c.n), len(all) == c.n
	})
	return last
}

func (c *crowd) stop(captures []*lab.Capture) {
	for _, capture := range captures {
		stopCapture(c.t, capture)
	}
}

// devicesLeft counts macvlans that are still there.
func (c *crowd) devicesLeft(i int) int {
	links, err := c.hosts[i].Link().LinkList()
	if err != nil {
		c.t.Fatalf("list devices: %v", err)
	}
	n := 0
	for _, link := range links {
		if link.Type() == "macvlan" {
			n++
		}
	}
	return n
}

// scale starts the directors, watches them and stops them.
func (h *heat) scale(t lab.T, c *crowd, o options) {
	// The BACKUP starts last; otherwise it would become MASTER.
	first := c.captures(0)
	started := time.Now()
	master := c.contender.launch(c.hosts[0], c.setup(0))
	ready := c.awaitAll(0, first).Sub(started)
	backup := c.contender.launch(c.hosts[1], c.setup(1))
	// The start ends with the gratuitous ARP of the takeover.
	if !o.quick {
		time.Sleep(6 * time.Second)
	}

	said, heard := c.captures(0), c.captures(1)
	before, beforeBackup, from := used(t, master), used(t, backup), time.Now()
	time.Sleep(o.duration)
	to, after, afterBackup := time.Now(), used(t, master), used(t, backup)
	c.stop(said)
	c.stop(heard)
	all := streams(said...)
	lateness := late(c.interval, all...)
	sent, expected := due(from, to, c.interval, c.n, all...)
	spurious := 0
	for _, s := range streams(heard...) {
		spurious += len(s)
	}

	// At the first stop there is a successor, at the second there is none.
	successor := c.captures(1)
	stop := timeToStop(master)
	c.awaitAll(1, successor)
	alone := timeToStop(backup)
	left := c.devicesLeft(0) + c.devicesLeft(1)
	h.note(func(r *row) {
		r.add("listening ms", spread, milliseconds(ready-3*c.interval-time.Duration(256-priorities[0])*c.interval/256))
		r.add("all MASTER ms", spread, milliseconds(ready)).ratio = true
		r.add("% of due", spread, 100*sent/expected)
		r.add("CPU %", spread, 100*(after.CPU-before.CPU).Seconds()/to.Sub(from).Seconds())
		r.add("µs/advert", spread, float64((after.CPU-before.CPU).Microseconds())/sent).ratio = true
		r.add("BACKUP CPU %", spread, 100*(afterBackup.CPU-beforeBackup.CPU).Seconds()/to.Sub(from).Seconds())
		r.add("BACKUP µs/advert", spread, float64((afterBackup.CPU-beforeBackup.CPU).Microseconds())/sent).ratio = true
		r.add("RSS MB", spread, float64(max(after.RSS, afterBackup.RSS))/(1<<20))
		r.add("late p99.9 ms", spread, lateness.at(0.999))
		r.add("late max ms", spread, greatest(lateness))
		r.add("stop ms", spread, milliseconds(stop)).ratio = true
		r.add("stop alone ms", spread, milliseconds(alone))
		r.add("devices left", losses, float64(left))
		r.add("adverts of BACKUP", losses, float64(spurious))
	}, "all MASTER after %v, stopped within %v and alone %v, %d devices left", ready.Round(time.Millisecond),
		stop.Round(time.Millisecond), alone.Round(time.Millisecond), left)
}

func used(t lab.T, d director) lab.Usage {
	usage, err := d.process().Usage()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return usage
}

func timeToStop(d director) time.Duration {
	began := time.Now()
	d.process().Stop()
	return time.Since(began)
}
