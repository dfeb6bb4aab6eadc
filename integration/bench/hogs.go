package main

import (
	"fmt"
	"runtime"
	"time"

	"holdfast/integration/lab"
)

// hogsPerCPU busy loops run on every processor.
const hogsPerCPU = 2

var hogIntervals = []time.Duration{time.Second, 100 * time.Millisecond, 10 * time.Millisecond}

// runHogs runs each contender under load: a pair of directors for each interval, all
// at the same time, because they need hardly any processor time themselves.
func runHogs(o options) []*row {
	if o.hogs == 0 {
		return nil
	}
	var rows []*row
	for _, c := range contenders {
		var heats []*heat
		for _, interval := range hogIntervals {
			if o.quick && interval >= time.Second {
				continue
			}
			h := newHeat(o, "hogs", fmt.Sprintf("%v, %d a CPU", o.hogs, hogsPerCPU), interval, c, nil)
			if h == nil {
				continue
			}
			h.run = func(t lab.T, h *heat) { h.underLoad(t, c, interval, o.hogs) }
			if c.name == holdfast.name {
				half := atMost("late p99.9 ms", theMaximum, milliseconds(interval/2))
				half.perInterval = true
				h.row.bounds = []bound{
					half, noMoreThanKeepalived("late p99.9 ms", theMaximum, 0.1), atMost("adverts of BACKUP", theTotal, 0),
				}
			}
			heats = append(heats, h)
		}
		if len(heats) == 0 {
			continue
		}
		stop, err := startHogs()
		if err != nil {
			heats[0].row.Error = err.Error()
			rows = append(rows, heats[0].row)
			continue
		}
		rows = append(rows, together(heats...)...)
		if err := stop(); err != nil {
			heats[0].row.Error = fmt.Sprintf("stop busy loops: %v", err)
		}
	}
	return rows
}

// startHogs starts the busy loops; stop ends them.
func startHogs() (stop func() error, err error) {
	ready, done, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- lab.Standalone("hogs", func(string) {}, func(t lab.T) {
			host := lab.New(t).Host("hogs")
			for range hogsPerCPU * runtime.NumCPU() {
				host.Start("sh", "-c", "while :; do :; done")
			}
			close(ready)
			<-done
		})
	}()
	select {
	case <-ready:
		return func() error {
			close(done)
			return <-ended
		}, nil
	case err := <-ended:
		return nil, fmt.Errorf("start busy loops: %w", err)
	}
}

// underLoad watches the adverts of two directors from outside. It uses the kernel's
// timestamps, because the load delays this program too.
func (h *heat) underLoad(t lab.T, c contender, interval, length time.Duration) {
	l := lab.New(t)
	wire := l.Switch("wire")
	var wires []*lab.Wire
	var directors []director
	for i := range priorities {
		host := l.Host(fmt.Sprintf("lvs%d", i+1))
		wires = append(wires, host.Plug(wire, "eth0", fmt.Sprintf("10.0.0.%d/24", i+2)))
		directors = append(directors, c.launch(host, setup{routers: []router{{
			name: "outside", device: "eth0", vrid: outsideVRID, priority: priorities[i], interval: interval,
			addresses: []string{lab.VIP + "/24"},
		}}}))
	}
	awaitOnly(t, wires[0], wires[1], interval)
	scheduling, err := directors[0].process().Scheduling()
	if err != nil {
		t.Errorf("%v", err)
	}
	master, backup := wires[0].CaptureAdverts(), wires[1].CaptureAdverts()
	from := time.Now()
	time.Sleep(length)
	to := time.Now()
	stopCapture(t, master)
	stopCapture(t, backup)
	all := streams(master)
	lateness := late(interval, all...)
	sent, expected := due(from, to, interval, 1, all...)
	spurious := backup.Count(lab.Advertised(outsideVRID))
	h.note(func(r *row) {
		r.Scheduling = scheduling
		r.add("late p50 ms", spread, median(lateness))
		r.add("late p99 ms", spread, lateness.at(0.99))
		r.add("late p99.9 ms", spread, lateness.at(0.999)).ratio = true
		r.add("late max ms", spread, greatest(lateness))
		r.add("adverts", spread, sent)
		r.add("% of due", spread, 100*sent/expected)
		r.add("adverts of BACKUP", losses, float64(spurious))
	}, "p99.9 %.2f ms, max %.2f ms late; %d adverts of the BACKUP", lateness.at(0.999), greatest(lateness), spurious)
}

// awaitOnly waits until one wire's host advertises, several times in a row,
// and the other does not any more.
func awaitOnly(t lab.T, wire, other *lab.Wire, interval time.Duration) {
	mine, others := wire.CaptureAdverts(), other.CaptureAdverts()
	start, silent := 0, -1
	said := func(f lab.Frame) bool { return f.FromHost }
	lab.Wait(t, 60*time.Second+10*interval, "adverts of "+wire.Host.Name+" alone", func() (string, bool) {
		if n := others.Count(said); n != silent {
			start, silent = mine.Count(said), n
		}
		n := mine.Count(said) - start
		return fmt.Sprintf("%d in a row", n), n >= 4
	})
	stopCapture(t, mine)
	stopCapture(t, others)
}

func stopCapture(t lab.T, c *lab.Capture) {
	if err := c.Stop(); err != nil {
		t.Errorf("capture: %v", err)
	}
	if missed := c.Missed(); missed > 0 {
		t.Errorf("capture: had no room for %d frames", missed)
	}
}
