package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
)

// Contenders of checks.
const (
	bareName  = "bare C loop"
	reuseName = "holdfast, reuse"
)

const (
	busyServers = 5000
	manyServers = 10000
	deadServers = 100
)

// runChecks measures the checks of virtual services.
func runChecks(o options) []*row {
	var rows []*row
	for _, kind := range []string{"tcp", "http"} {
		rows = append(rows, runBusy(o, kind)...)
	}
	rows = append(rows, checkRow(o, fmt.Sprintf("%d tcp", manyServers), holdfast.name, manyBounds(), runMany)...)
	rows = append(rows, checkRow(o, "listener closed", holdfast.name, []bound{atMost("removed ms", theMaximum, 1050)}, runDeath)...)
	rows = append(rows, checkRow(o, "listener closed", keepalived.name, nil, runDeath)...)
	rows = append(rows, checkRow(o, fmt.Sprintf("reload of %d", busyServers), holdfast.name, reloadBounds(), runReload)...)
	rows = append(rows, checkRow(o, fmt.Sprintf("reload of %d", busyServers), keepalived.name, nil, runReload)...)
	return rows
}

func manyBounds() []bound {
	return []bound{atMost("cores", theMedian, 0.8), atMost("RSS MB", theMaximum, 60), atMost("late p99 ms", theMaximum, 100), mostOfDue(99)}
}

func reloadBounds() []bound {
	return []bound{atMost("reload ms", theMedian, 100), atMost("late p99 ms", theMaximum, 100), atMost("changes", theMaximum, 1)}
}

// checkRow measures one row.
func checkRow(o options, name, who string, bounds []bound, run func(options, *track, *heat)) []*row {
	h := newHeat(o, "checks", name, time.Second, contender{name: who}, func(t lab.T, h *heat) {
		run(o, newTrack(t, deadServers), h)
	})
	if h == nil {
		return nil
	}
	h.row.bounds = bounds
	return together(h)
}

// runBusy compares the CPU time of a check. The contenders alternate, so that noise hits
// all of them.
func runBusy(o options, kind string) []*row {
	name := fmt.Sprintf("%d %s", busyServers, kind)
	heats := map[string]*heat{}
	var names []string
	for _, c := range []string{holdfast.name, reuseName, keepalived.name, bareName} {
		if c == reuseName && kind != "http" {
			continue
		}
		if h := newHeat(o, "checks", name, time.Second, contender{name: c}, nil); h != nil {
			heats[c] = h
			names = append(names, c)
		}
	}
	if len(names) == 0 {
		return nil
	}
	if h := heats[holdfast.name]; h != nil {
		h.row.bounds = []bound{timesOf("µs/check", theMedian, 0.75, keepalived.name), timesOf("µs/check", theMedian, 1.25, bareName), mostOfDue(99)}
	}
	if h := heats[reuseName]; h != nil {
		h.row.bounds = []bound{timesOf("µs/check", theMedian, 0.35, keepalived.name), mostOfDue(99)}
	}
	first := heats[names[0]]
	err := lab.Standalone("checks/"+name, first.log, func(t lab.T) {
		k := newTrack(t, 0)
		for range o.checkRounds {
			for _, c := range names {
				k.busy(heats[c], c, kind, o.duration)
			}
		}
	})
	var rows []*row
	for _, c := range names {
		if err != nil {
			heats[c].row.Error = err.Error()
		}
		rows = append(rows, heats[c].row)
	}
	return rows
}

// busy measures one contender for a while.
func (k *track) busy(h *heat, name, kind string, length time.Duration) {
	s := checkSetup{kind: kind, servers: busyServers, port: checkedPort, weight: 1, reuse: name == reuseName}
	record := k.record()
	var p *lab.Process
	var asked func() float64
	switch name {
	case bareName:
		p = k.host.Start(k.loop, kind, fmt.Sprint(checkedPort), fmt.Sprint(busyServers), "60")
		asked = k.opened
	case keepalived.name:
		p = k.keepalived(s, record).Process
		k.awaitServers(record, s)
		asked = k.opened
	default:
		d := k.holdfast(s, record)
		k.awaitServers(record, s)
		p, asked = d.Process, k.opened
		if s.reuse {
			asked = func() float64 { return float64(k.status(d).Lateness.Count) }
		}
	}
	time.Sleep(3 * time.Second) // the start, with its garbage
	n0, from := asked(), time.Now()
	before := k.usage(p)
	time.Sleep(length)
	after := k.usage(p)
	n1, to := asked(), time.Now()
	stop(p)
	rate := (n1 - n0) / to.Sub(from).Seconds()
	micros := (after.CPU - before.CPU).Seconds() * 1e6 / (rate * length.Seconds())
	h.note(func(r *row) {
		r.add("µs/check", spread, micros).ratio = true
		r.add("cores", spread, (after.CPU-before.CPU).Seconds()/length.Seconds())
		r.add("% of due", spread, 100*rate/busyServers)
		r.add("RSS MB", spread, float64(after.RSS)/(1<<20))
	}, "%.1f µs/check at %.0f checks/s", micros, rate)
}

func (k *track) usage(p *lab.Process) lab.Usage {
	u, err := p.Usage()
	if err != nil {
		k.t.Fatalf("%v", err)
	}
	return u
}

// runMany checks many servers, and looks whether the checks come in time.
func runMany(o options, k *track, h *heat) {
	s := checkSetup{kind: "tcp", servers: manyServers, port: checkedPort, weight: 1}
	record := k.record()
	d := k.holdfast(s, record)
	k.awaitServers(record, s)
	time.Sleep(3 * time.Second) // the start, with its garbage
	for range o.checkRounds {
		first := k.status(d)
		before, from := k.usage(d.Process), time.Now()
		time.Sleep(o.duration)
		after, took := k.usage(d.Process), time.Since(from)
		last := k.status(d)
		late := lateness(first, last, 0.99)
		cores := (after.CPU - before.CPU).Seconds() / took.Seconds()
		h.note(func(r *row) {
			r.add("cores", spread, cores)
			r.add("% of due", spread, min(100, 100*float64(last.Lateness.Count-first.Lateness.Count)/manyServers/took.Seconds()))
			r.add("RSS MB", spread, float64(after.RSS)/(1<<20))
			r.add("late p99 ms", spread, late)
		}, "%.2f cores, p99 %.1f ms late", cores, late)
	}
	stop(d.Process)
}

// runDeath closes listeners at random times, and looks when their servers leave the table.
func runDeath(o options, k *track, h *heat) {
	s := checkSetup{kind: "tcp", servers: deadServers, port: checkedPort + 1, weight: 1}
	record := k.record()
	var p *lab.Process
	gone := []string{" -d ", ""}
	if h.row.Contender == keepalived.name {
		p, gone[0] = k.keepalived(s, record).Process, "7 "
	} else {
		p = k.holdfast(s, record).Process
	}
	k.awaitServers(record, s)
	random := rand.New(rand.NewPCG(o.seed, 0))
	for i := range 5 * o.checkRounds {
		time.Sleep(time.Second + time.Duration(random.Int64N(int64(time.Second))))
		address := fmt.Sprintf("%s:%d", targetAddress(i), s.port)
		out := k.host.Run("/usr/bin/env", closeEnv+"="+address, k.self())
		closed := parseNS(k.t, out)
		gone[1] = address + " "
		removed := k.await(record, 0, gone...).at.Sub(closed)
		h.note(func(r *row) { r.add("removed ms", spread, milliseconds(removed)).ratio = true }, "removed after %v", removed)
	}
	stop(p)
}

// runReload changes the weight of one server among many. The time begins when the file is
// written. It ends with the change of the table and, where a command asks for the reload,
// not before the command has ended.
func runReload(o options, k *track, h *heat) {
	s := checkSetup{kind: "tcp", servers: busyServers, port: checkedPort, weight: 1}
	record := k.record()
	var write, reload func()
	var p *lab.Process
	var d *lab.Daemon
	if h.row.Contender == keepalived.name {
		ka := k.keepalived(s, record)
		p = ka.Process
		write = func() { k.write(ka.path, s.keepalived()) }
		reload = func() { p.Signal(unix.SIGHUP) }
	} else {
		d = k.holdfast(s, record)
		p = d.Process
		write = func() { d.Configure(s.toml()) }
		reload = func() {
			if err := d.Reload(); err != nil {
				k.t.Fatalf("%v", err)
			}
		}
	}
	k.awaitServers(record, s)
	time.Sleep(3 * time.Second) // the start, with its garbage
	var first checkStatus
	if d != nil {
		first = k.status(d)
	}
	server := fmt.Sprintf("%s:%d ", targetAddress(0), s.port)
	for i := range 2 * o.checkRounds {
		before := len(k.changes(record))
		s.weight = i + 2
		write()
		began := time.Now()
		reload()
		answered := time.Now()
		took := later(answered, k.await(record, before, server).at).Sub(began)
		time.Sleep(time.Second)
		changes := k.changes(record)[before:]
		h.note(func(r *row) {
			r.add("reload ms", spread, milliseconds(took)).ratio = true
			r.add("changes", spread, float64(len(changes)))
		}, "%v, %d changes", took, len(changes))
	}
	if d != nil {
		late := lateness(first, k.status(d), 0.99)
		h.note(func(r *row) { r.add("late p99 ms", spread, late) }, "p99 %.1f ms late", late)
	}
	stop(p)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// parseNS returns the time that a text says in nanoseconds since 1970.
func parseNS(t lab.T, text string) time.Time {
	var ns int64
	if _, err := fmt.Sscan(strings.TrimSpace(text), &ns); err != nil {
		t.Fatalf("%q is not a time: %v", text, err)
	}
	return time.Unix(0, ns)
}
