package main

import (
	"fmt"
	"strings"
	"time"

	"holdfast/integration/lab"
)

// fastInterval is the advert interval of the rows of fast: what most people have.
const fastInterval = time.Second

// fastDetections are how far apart the packets are whose absence fast notices.
var fastDetections = []time.Duration{10 * time.Millisecond, 5 * time.Millisecond}

// fastContender is holdfast with `fast`; a MASTER is dead when three packets are missing.
func fastContender(each time.Duration) contender {
	return contender{name: fmt.Sprintf("holdfast 3×%v", each), launch: func(h *lab.Host, s setup) director {
		s.fast = each
		return launchHoldfast(h, s)
	}}
}

// explainSlow logs why a BACKUP with `fast` took over as slowly as one without.
func (h *heat) explainSlow(a *arena, outage time.Duration) {
	d, is := a.directors[1].(*holdfastDirector)
	if !is || outage < a.interval/2 {
		return
	}
	if all, err := d.daemon.Events(0); err != nil || len(all.Of("fast")) > 0 {
		h.log(fmt.Sprintf("as slow as without fast (%v):\n%v", err, all))
	}
}

// keepalivedBFD is keepalived with a BFD session for each virtual router, whose end gives
// the BACKUP the higher priority.
var keepalivedBFD = contender{name: "keepalived+bfd", launch: func(h *lab.Host, s setup) director {
	d := &keepalivedDirector{host: h, config: s.keepalivedTracking(), tracking: true}
	d.restart()
	return d
}}

func (s setup) toml() string {
	if s.fast == 0 {
		return s.tables("")
	}
	return fmt.Sprintf("[director.fast]\nmin_tx = %q\nmin_rx = %q\nmultiplier = 3\n", s.fast, s.fast) + s.tables("fast = true\n")
}

// keepalivedTracking is keepalived's configuration of a director among an arena's two, with
// sessions between their addresses.
func (s setup) keepalivedTracking() string {
	var sessions strings.Builder
	mine := 2
	if s.routers[0].priority == priorities[1] {
		mine = 3
	}
	config := s.keepalived()
	for _, r := range s.routers {
		net := map[string]string{"eth0": "10.0.0", "eth1": "192.168.0"}[r.device]
		fmt.Fprintf(&sessions, "bfd_instance %s {\n\tneighbor_ip %s.%d\n\tsource_ip %s.%d\n\tmin_rx 10\n\tmin_tx 10\n\tmultiplier 3\n}\n",
			r.name, net, 5-mine, net, mine)
		if mine == 3 { // the BACKUP
			config = strings.Replace(config, "interface "+r.device+"\n",
				"interface "+r.device+"\n\ttrack_bfd {\n\t\t"+r.name+" weight 150 reverse\n\t}\n", 1)
		}
	}
	return sessions.String() + config
}

// runFast runs unplanned failovers with `fast`, without, and with keepalived, and what
// `fast` costs with a thousand virtual routers.
func runFast(o options) []*row {
	var all []*heat
	for _, f := range failures[:2] { // cut and black hole: the MASTER's kernel is out of reach
		var heats []*heat
		for _, c := range fastContenders() {
			h := newHeat(o, "fast", f.name, fastInterval, c, func(t lab.T, h *heat) {
				a := newArena(t, c, fastInterval, false)
				for _, phase := range phases(o.seed, o.rounds) {
					h.failover(a, f, phase)
				}
			})
			if h != nil {
				h.row.bounds = fastBounds(c)
			}
			heats = append(heats, h)
		}
		all = append(all, takeTurns(heats...)...)
	}
	rows := together(all...)
	if o.quick {
		return rows
	}
	return append(rows, o.fastCost()...)
}

func fastContenders() []contender {
	all := []contender{holdfast, keepalived, keepalivedBFD, frr}
	for _, each := range fastDetections {
		all = append(all, fastContender(each))
	}
	return all
}

func fastBounds(c contender) []bound {
	limits := map[string]float64{fastContender(fastDetections[0]).name: 60, fastContender(fastDetections[1]).name: 25}
	limit, isFast := limits[c.name]
	if !isFast {
		return nil
	}
	return []bound{
		atMost("outage ms", theMedian, limit), timesOf("outage ms", theMedian, 1.0/40, keepalived.name),
		atMost("MAC changes", theTotal, 0), atMost("failback lost", theTotal, 0),
	}
}

// fastCost is the CPU of a thousand virtual routers at 1 s with and without `fast`, and
// at 10 ms, which is as fast.
func (o options) fastCost() []*row {
	const n = 1000
	var rows []*row
	for _, one := range []struct {
		contender contender
		interval  time.Duration
	}{{holdfast, fastInterval}, {fastContender(fastDetections[0]), fastInterval}, {holdfast, 10 * time.Millisecond}} {
		h := newHeat(o, "fast", fmt.Sprint("CPU of ", n), one.interval, one.contender, func(t lab.T, h *heat) {
			h.scale(t, newCrowd(t, one.contender, n, one.interval), o)
		})
		if h == nil {
			continue
		}
		h.row.bounds = []bound{atMost("adverts of BACKUP", theTotal, 0)}
		if one.contender.name != holdfast.name {
			h.row.bounds = append(h.row.bounds, timesOf("CPU %", theMedian, 1.3, holdfast.name), timesOf("BACKUP CPU %", theMedian, 1.3, holdfast.name))
		}
		rows = append(rows, together(h)...)
	}
	return rows
}
