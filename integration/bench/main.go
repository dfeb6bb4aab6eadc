// Command bench puts holdfast and keepalived through the same failures in one
// run, on the same machine at the same time, and prints what came of it side
// by side. Absolute times are the machine's; the ratios are what counts.
//
// Failover: two directors with virtual MACs, priorities 200 and 100. The MASTER's
// wire is cut, or its daemon is stopped (SIGTERM), at a random moment of the
// advert interval; later it comes back and preempts. A router probes the VIP
// at 1 kHz: "outage" is the time from the last answered probe to the next
// answered one, 0 when none was lost.
//
// Scale: many virtual routers on one interface, each with its virtual MAC:
// processor time, memory, adverts sent against those due.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"holdfast/integration/lab"
)

type options struct {
	rounds    int
	intervals []time.Duration
	failures  []string
	instances []int
	duration  time.Duration
	only      *regexp.Regexp
	out       string
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	o, err := parse(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 2
	}
	if err := lab.Build(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	r := newReport(o)
	failover, failoverErr := runFailovers(o)
	r.Failover = failover
	scale, scaleErr := runScale(o)
	r.Scale = scale
	r.print(os.Stdout)
	err = errors.Join(failoverErr, scaleErr, r.write(o.out))
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "rounds", 10, "rounds of each failover")
	intervals := flags.String("intervals", "1s,100ms,10ms", "advert intervals of the failovers")
	failures := flags.String("failures", "cut,stop", "failures to try: cut, blackhole, stop, crash")
	instances := flags.String("instances", "50,250", "virtual routers of the scale runs")
	flags.DurationVar(&o.duration, "duration", 15*time.Second, "time that a scale run is watched")
	only := flags.String("only", "", "regular expression: only rows whose names match, such as `failover.*10ms`")
	flags.StringVar(&o.out, "out", "bench", "folder for the figures as JSON")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	for _, text := range strings.Split(*intervals, ",") {
		interval, err := time.ParseDuration(text)
		if err != nil {
			return o, fmt.Errorf("interval: %w", err)
		}
		o.intervals = append(o.intervals, interval)
	}
	for _, text := range strings.Split(*instances, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 255 {
			return o, fmt.Errorf("instances: %q is no number from 1 to 255", text)
		}
		o.instances = append(o.instances, n)
	}
	o.failures = strings.Split(*failures, ",")
	for _, name := range o.failures {
		if _, ok := failureKinds[name]; !ok {
			return o, fmt.Errorf("no failure is called %q", name)
		}
	}
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		return o, fmt.Errorf("only: %w", err)
	}
	return o, nil
}
