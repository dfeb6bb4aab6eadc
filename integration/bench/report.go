package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// A report has all figures of one run.
type report struct {
	Time    time.Time `json:"time"`
	Took    string    `json:"took"`
	Kernel  string    `json:"kernel"`
	CPUs    int       `json:"cpus"`
	Load    string    `json:"load_before"` // the machine's load averages before the run
	Command []string  `json:"command"`
	Seed    uint64    `json:"seed"`
	Rows    []*row    `json:"rows"`
}

// A row is what one contender did in one case.
type row struct {
	Experiment string     `json:"experiment"`
	Case       string     `json:"case"`
	Interval   string     `json:"interval"`
	Contender  string     `json:"contender"`
	Scheduling []string   `json:"scheduling,omitempty"`
	Measures   []*measure `json:"measures"`
	Met        []string   `json:"met,omitempty"`   // bounds that were kept, with the values
	Short      []string   `json:"short,omitempty"` // bounds that were not
	Error      string     `json:"error,omitempty"`

	bounds []bound
}

// A measure is one thing that was measured, once a round.
type measure struct {
	Name   string  `json:"name"` // with its unit
	Values figures `json:"values"`

	show  func(figures) string
	ratio bool // show how many times keepalived's median it is
}

// name is what -only looks at.
func (r *row) name() string {
	return fmt.Sprintf("%s/%s/%s/%s", r.Experiment, r.Case, r.Interval, r.Contender)
}

// add notes one more value of a measure; the first settles how it is shown.
func (r *row) add(name string, show func(figures) string, value float64) *measure {
	m := r.measure(name)
	if m == nil {
		m = &measure{Name: name, show: show}
		r.Measures = append(r.Measures, m)
	}
	m.Values = append(m.Values, value)
	return m
}

func (r *row) measure(name string) *measure {
	for _, m := range r.Measures {
		if m.Name == name {
			return m
		}
	}
	return nil
}

func newReport(o options) *report {
	var name unix.Utsname
	_ = unix.Uname(&name)                   // an unknown kernel is printed as ""
	load, _ := os.ReadFile("/proc/loadavg") // and an unknown load too
	return &report{
		Time: time.Now(), Kernel: unix.ByteSliceToString(name.Release[:]), CPUs: runtime.NumCPU(),
		Load: fmt.Sprintf("%.14s", load), Command: os.Args[1:], Seed: o.seed,
	}
}

// beside is another contender's row of the same case; nil if there is none.
func (r *report) beside(mine *row, contender string) *row {
	for _, other := range r.Rows {
		if other.Contender == contender && other.Experiment == mine.Experiment &&
			other.Case == mine.Case && other.Interval == mine.Interval && other.Error == "" {
			return other
		}
	}
	return nil
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
