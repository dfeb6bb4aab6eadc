package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"holdfast/integration/lab"
)

// A scaleRow is what many virtual routers cost one contender.
type scaleRow struct {
	Contender    string  `json:"contender"`
	Instances    int     `json:"instances"`
	Interval     string  `json:"interval"`
	ReadyMS      float64 `json:"ready_ms"`       // from the start to the last virtual router's first advert
	CPUPercent   float64 `json:"cpu_percent"`    // of one core, MASTER of all
	BackupCPU    float64 `json:"backup_percent"` // of one core, BACKUP of all
	RSSMB        float64 `json:"rss_mb"`
	Adverts      int     `json:"adverts"`
	Expected     float64 `json:"expected_adverts"`
	LateP99MS    float64 `json:"late_p99_ms"` // how much longer than the interval two adverts are apart
	LateMaxMS    float64 `json:"late_max_ms"`
	StopMS       float64 `json:"stop_ms"`
	LeftDevices  int     `json:"left_devices"` // after the stop
	BackupSaid   int     `json:"backup_adverts"`
	MeasuredSecs float64 `json:"measured_s"`
}

func runScale(o options) ([]scaleRow, error) {
	var rows []scaleRow
	var errs []error
	for _, n := range o.instances {
		for _, interval := range []time.Duration{time.Second, 100 * time.Millisecond} {
			for _, c := range contenders {
				name := fmt.Sprintf("scale/%s/%d/%v", c.name, n, interval)
				if !o.only.MatchString(name) {
					continue
				}
				var row scaleRow
				log := func(line string) { fmt.Fprintf(os.Stderr, "%s: %s\n", name, line) }
				log("started")
				err := lab.Standalone(name, log, func(t lab.T) { row = scale(t, c, n, interval, o.duration) })
				if err != nil {
					errs = append(errs, fmt.Errorf("%s: %w", name, err))
					continue
				}
				rows = append(rows, row)
			}
		}
	}
	return rows, errors.Join(errs...)
}

// scale runs n virtual routers on two directors and watches them.
func scale(t lab.T, c contender, n int, interval, duration time.Duration) scaleRow {
	l := lab.New(t)
	wire := l.Switch("wire")
	var hosts []*lab.Host
	for i := range 2 {
		h := l.Host(fmt.Sprintf("lvs%d", i+1))
		h.Plug(wire, "eth0", fmt.Sprintf("10.0.0.%d/16", i+2))
		hosts = append(hosts, h)
	}
	routers := func(priority int) []router {
		var all []router
		for vrid := 1; vrid <= n; vrid++ {
			all = append(all, router{vrid: vrid, priority: priority, interval: interval, address: fmt.Sprintf("10.0.1.%d/16", vrid)})
		}
		return all
	}
	row := scaleRow{Contender: c.name, Instances: n, Interval: interval.String()}

	// The BACKUP starts last, or it would be MASTER first.
	capture := hosts[0].Wires["eth0"].Capture()
	started := time.Now()
	master := c.start(hosts[0], routers(200))
	lab.Wait(t, 60*time.Second, "adverts of all virtual routers", func() (string, bool) {
		first := firstAdverts(capture)
		return fmt.Sprintf("%d of %d", len(first), n), len(first) == n
	})
	for _, at := range firstAdverts(capture) {
		row.ReadyMS = max(row.ReadyMS, milliseconds(at.Sub(started)))
	}
	stopCapture(t, capture)
	backup := c.start(hosts[1], routers(100))
	other := hosts[1].Wires["eth0"].Capture()
	// The start is over when the gratuitous ARP of the takeover is.
	time.Sleep(6 * time.Second)

	capture = hosts[0].Wires["eth0"].Capture()
	usage, usageBackup, from := used(t, master), used(t, backup), time.Now()
	time.Sleep(duration)
	after, afterBackup, took := used(t, master), used(t, backup), time.Since(from)
	stopCapture(t, capture)
	row.MeasuredSecs = took.Seconds()
	row.CPUPercent = 100 * (after.CPU - usage.CPU).Seconds() / took.Seconds()
	row.BackupCPU = 100 * (afterBackup.CPU - usageBackup.CPU).Seconds() / took.Seconds()
	row.RSSMB = float64(after.RSS) / (1 << 20)
	row.Expected = float64(n) * took.Seconds() / interval.Seconds()
	row.Adverts, row.LateP99MS, row.LateMaxMS = lateness(capture, interval)
	row.BackupSaid = other.Count(func(f lab.Frame) bool { _, ok := f.Advert(); return ok && f.FromHost })
	stopCapture(t, other)

	backup.Crash() // a BACKUP that takes over would be in the way
	began := time.Now()
	master.Stop()
	row.StopMS = milliseconds(time.Since(began))
	links, err := hosts[0].Link().LinkList()
	if err != nil {
		t.Fatalf("list devices: %v", err)
	}
	for _, link := range links {
		if link.Type() == "macvlan" {
			row.LeftDevices++
		}
	}
	return row
}

func used(t lab.T, p *lab.Process) lab.Usage {
	usage, err := p.Usage()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return usage
}

func stopCapture(t lab.T, c *lab.Capture) {
	if err := c.Stop(); err != nil {
		t.Errorf("capture: %v", err)
	}
}

func firstAdverts(c *lab.Capture) map[byte]time.Time {
	first := map[byte]time.Time{}
	for vrid, times := range advertTimes(c) {
		first[vrid] = times[0]
	}
	return first
}

func advertTimes(c *lab.Capture) map[byte][]time.Time {
	times := map[byte][]time.Time{}
	for _, f := range c.Frames(func(f lab.Frame) bool { return f.FromHost }) {
		if advert, ok := f.Advert(); ok {
			times[advert.VRID] = append(times[advert.VRID], f.Time)
		}
	}
	return times
}

// lateness counts all adverts, and says how much later than due they came.
func lateness(c *lab.Capture, interval time.Duration) (count int, p99, worst float64) {
	var late []float64
	for _, times := range advertTimes(c) {
		count += len(times)
		for i := 1; i < len(times); i++ {
			late = append(late, milliseconds(times[i].Sub(times[i-1])-interval))
		}
	}
	if len(late) == 0 {
		return count, math.NaN(), math.NaN()
	}
	slices.Sort(late)
	return count, late[len(late)*99/100], late[len(late)-1]
}
