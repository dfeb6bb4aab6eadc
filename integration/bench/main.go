// Command bench puts holdfast and keepalived through the same failures in one run on
// one machine, and prints the results side by side. Absolute times depend on the
// machine; compare ratios. The last column of each table judges holdfast's bounds. All
// figures are also written as JSON.
//
// -only picks rows by their names, experiment/case/interval/contender; -quick
// is a short run that shows that everything works.
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
	quick       bool
	seed        uint64
	rounds      int
	planned     int
	renewals    int
	checkRounds int
	takeovers   int
	hogs        time.Duration
	duration    time.Duration
	intervals   []time.Duration
	instances   []int
	only        *regexp.Regexp
	before      string
	out         string
}

// An experiment is one table.
type experiment struct {
	name  string
	about string
	run   func(options) []*row
}

var experiments = []experiment{
	{"failover", "the MASTER fails without notice, at a random phase of its interval, and comes back. Outage: from the last answered probe (1 kHz)\n" +
		"to the next answered one. Above floor: the successor's first answer on the wire, after the last advert heard + Master_Down_Interval.", runFailovers},
	{"fast", "as failover, at adverts of 1 s: holdfast with `fast` (3 packets missing) and without, FRR, which can do without only, keepalived with and\n" +
		"without a BFD session of 3×10 ms that its BACKUP tracks; and what a thousand virtual routers cost.", runFast},
	{"planned", "mastership is given away and comes back, under 1 kHz of probes to the VIP and 1 kHz through the director, routed by DIP and VIP.", runPlanned},
	{"inplace", "the MASTER changes without leaving: a new binary (keepalived: a restart), a reload that adds a VIP and one that removes it.", runInPlace},
	{"takeover", "one instance with many addresses moves. Times are counted from when the protocol lets the successor take over. What nobody\n" +
		"serves any more is announced bit by bit; after a goodbye (priority 0) the old MASTER still serves, and holdfast moves all at once.\n" +
		"An address is up when the kernel says so, or when it is announced if that is seen first.", runTakeover},
	{"hogs", "busy loops on every processor. Late: how much longer than the interval two adverts are apart. keepalived runs with its default\n" +
		"priority (its vrrp_rt_priority is off unless set).", runHogs},
	{"scale", fmt.Sprintf("many virtual routers, each with its virtual MAC, %d an interface. Listening: all MASTER less Master_Down_Interval, which includes\n"+
		"the takeover. RSS: all processes of the daemon. Stop: beside a BACKUP that takes over; alone: without one.", vridsPerWire), runScale},
	{"checks", "checks of virtual services each second, of servers on this host; keepalived changes a faked IPVS, holdfast a table in memory.\n" +
		"bare C loop: the same system calls and nothing else. Removed: from the end of the listener, with fall = 1. Changes: of the table.", runChecks},
}

func main() {
	if did, err := other(); did {
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	o, err := parse(args)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		return 2
	}
	if err := lab.Build(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	if o.before != "" {
		addFormer(o.before)
	}
	r := newReport(o)
	for _, e := range experiments {
		r.Rows = append(r.Rows, e.run(o)...)
		r.Took = time.Since(r.Time).Round(time.Second).String()
		r.judge()
		if err := r.write(o.out); err != nil { // after each one: a run is long
			fmt.Fprintln(os.Stderr, "bench:", err)
			return 1
		}
	}
	r.print(os.Stdout)
	for _, row := range r.Rows {
		if row.Error != "" {
			return 1
		}
	}
	return 0
}

// smoke are the settings of -quick, which other flags go before.
var smoke = map[string]string{
	"rounds": "1", "planned": "1", "renewals": "1", "takeovers": "1", "checks": "1", "hogs": "3s", "duration": "2s",
	"intervals": "100ms,10ms", "instances": "50,1000",
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.BoolVar(&o.quick, "quick", false, "a few rounds of everything, but nothing at 1 s")
	flags.Uint64Var(&o.seed, "seed", 1, "of the phases at which failures come")
	flags.IntVar(&o.rounds, "rounds", 12, "rounds of each unplanned failover")
	flags.IntVar(&o.planned, "planned", 40, "rounds of each planned switch and its return")
	flags.IntVar(&o.renewals, "renewals", 5, "upgrades and reloads")
	flags.IntVar(&o.checkRounds, "checks", 3, "rounds of checks of virtual services")
	flags.IntVar(&o.takeovers, "takeovers", 10, "takeovers of many addresses")
	flags.DurationVar(&o.hogs, "hogs", time.Minute, "time under busy loops; 0 leaves them out; 5m for a full proof")
	flags.DurationVar(&o.duration, "duration", 10*time.Second, "time that many virtual routers are watched")
	intervals := flags.String("intervals", "1s,100ms,10ms", "advert intervals of failovers and planned switches")
	instances := flags.String("instances", "50,250,1000", "numbers of virtual routers of the scale runs")
	only := flags.String("only", "", "regular expression: only rows whose names match, such as `failover/cut/10ms`")
	flags.StringVar(&o.before, "before", "", "another holdfast binary, which runs beside this one in every case")
	flags.StringVar(&o.out, "out", "bench", "folder for the figures as JSON")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.quick {
		given := map[string]bool{}
		flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
		for name, value := range smoke {
			if given[name] {
				continue
			}
			if err := flags.Set(name, value); err != nil {
				return o, err
			}
		}
	}
	return o, o.decode(*intervals, *instances, *only)
}

func (o *options) decode(intervals, instances, only string) error {
	for _, text := range strings.Split(intervals, ",") {
		interval, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("intervals: %w", err)
		}
		if interval < 10*time.Millisecond || interval > 40*time.Second {
			return fmt.Errorf("intervals: %v is not from 10ms to 40s", interval)
		}
		o.intervals = append(o.intervals, interval)
	}
	for _, text := range strings.Split(instances, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 4000 {
			return fmt.Errorf("instances: %q is no number from 1 to 4000", text)
		}
		o.instances = append(o.instances, n)
	}
	var err error
	if o.only, err = regexp.Compile(only); err != nil {
		return fmt.Errorf("only: %w", err)
	}
	return nil
}
