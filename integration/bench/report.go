package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// A report is all figures of one run.
type report struct {
	Time     time.Time     `json:"time"`
	Kernel   string        `json:"kernel"`
	CPUs     int           `json:"cpus"`
	Rounds   int           `json:"rounds"`
	Failover []failoverRow `json:"failover"`
	Scale    []scaleRow    `json:"scale"`
}

func newReport(o options) *report {
	var name unix.Utsname
	_ = unix.Uname(&name) // an unknown kernel is printed as ""
	return &report{
		Time: time.Now(), Kernel: unix.ByteSliceToString(name.Release[:]), CPUs: runtime.NumCPU(), Rounds: o.rounds,
	}
}

// write keeps the figures of every run, and the last under a fixed name.
func (r *report) write(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	for _, name := range []string{r.Time.UTC().Format("20060102T150405Z"), "latest"} {
		if err := os.WriteFile(filepath.Join(folder, name+".json"), append(text, '\n'), 0o644); err != nil {
			return fmt.Errorf("write the figures: %w", err)
		}
	}
	return nil
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "\nLinux %s, %d CPUs, %d rounds, failures spread evenly over the advert interval; median (min..max); times in ms, ×: holdfast's median / keepalived's\n", r.Kernel, r.CPUs, r.Rounds)
	r.printFailover(w)
	r.printScale(w)
}

func (r *report) printFailover(w io.Writer) {
	if len(r.Failover) == 0 {
		return
	}
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "\nfailure\tinterval\t\toutage\t×\tlost\tfirst advert\tfailback outage\tfailback lost\tfailback >20 lost\tMAC changes")
	for _, row := range r.Failover {
		outage := column(row.Rounds, func(r round) float64 { return r.OutageMS })
		bad, changes := 0, 0
		for _, round := range row.Rounds {
			if round.FailbackLost > 20 {
				bad++
			}
			changes += round.MACChanges + round.FailbackChanges
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d/%d\t%d\n", row.Failure, row.Interval, row.Contender,
			outage, ratio(median(outage), r.keepalived(row)),
			column(row.Rounds, func(r round) float64 { return float64(r.Lost) }),
			column(row.Rounds, func(r round) float64 { return r.FirstAdvertMS }),
			column(row.Rounds, func(r round) float64 { return r.FailbackOutageMS }),
			column(row.Rounds, func(r round) float64 { return float64(r.FailbackLost) }),
			bad, len(row.Rounds), changes)
	}
	_ = out.Flush() // what the terminal does not take is in the file
}

// keepalived is its median outage in the row beside this one; 0 if there is
// none, or this is it.
func (r *report) keepalived(row failoverRow) float64 {
	for _, other := range r.Failover {
		if row.Contender != "keepalived" && other.Contender == "keepalived" && other.Failure == row.Failure && other.Interval == row.Interval {
			return median(column(other.Rounds, func(r round) float64 { return r.OutageMS }))
		}
	}
	return 0
}

func (r *report) printScale(w io.Writer) {
	if len(r.Scale) == 0 {
		return
	}
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "\ninstances\tinterval\t\tCPU % MASTER\t×\tBACKUP\tRSS MB\tready\tadverts/due\tlate p99/max\tstop\tdevices left\tadverts of BACKUP")
	for _, row := range r.Scale {
		var beside float64
		for _, other := range r.Scale {
			if row.Contender != "keepalived" && other.Contender == "keepalived" && other.Instances == row.Instances && other.Interval == row.Interval {
				beside = other.CPUPercent
			}
		}
		fmt.Fprintf(out, "%d\t%s\t%s\t%.2f\t%s\t%.2f\t%.1f\t%.0f\t%d/%.0f\t%.1f/%.1f\t%.0f\t%d\t%d\n", row.Instances, row.Interval, row.Contender,
			row.CPUPercent, ratio(row.CPUPercent, beside), row.BackupCPU, row.RSSMB, row.ReadyMS,
			row.Adverts, row.Expected, row.LateP99MS, row.LateMaxMS, row.StopMS, row.LeftDevices, row.BackupSaid)
	}
	_ = out.Flush() // what the terminal does not take is in the file
}

func ratio(mine, other float64) string {
	if other == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", mine/other)
}

// figures are one measure of all rounds, sorted.
type figures []float64

func column(rounds []round, pick func(round) float64) figures {
	var all figures
	for _, r := range rounds {
		all = append(all, pick(r))
	}
	slices.Sort(all)
	return all
}

func (f figures) String() string {
	if len(f) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.4g (%.4g..%.4g)", median(f), f[0], f[len(f)-1])
}

func median(f figures) float64 {
	switch n := len(f); {
	case n == 0:
		return 0
	case n%2 == 1:
		return f[n/2]
	default:
		return (f[n/2-1] + f[n/2]) / 2
	}
}
