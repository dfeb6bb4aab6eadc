package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
)

const (
	vrid  = 51
	pulse = time.Millisecond // between two probes
)

// A failoverRow is a series of rounds of one contender.
type failoverRow struct {
	Contender string  `json:"contender"`
	Failure   string  `json:"failure"`
	Interval  string  `json:"interval"`
	Rounds    []round `json:"rounds"`
}

// A round is one failure and its repair.
type round struct {
	Phase            float64 `json:"phase"` // of the failure: the part of an interval since the last advert
	OutageMS         float64 `json:"outage_ms"`
	Lost             int     `json:"lost"`
	FirstAdvertMS    float64 `json:"first_advert_ms"` // of the new MASTER after the failure
	MACChanges       int     `json:"mac_changes"`
	FailbackOutageMS float64 `json:"failback_outage_ms"`
	FailbackLost     int     `json:"failback_lost"`
	FailbackChanges  int     `json:"failback_mac_changes"`
	ProbeNoiseMS     float64 `json:"probe_noise_ms"` // longest time between two probes sent
}

// failureKinds are what can happen to the MASTER; each returns the repair.
var failureKinds = map[string]func(a *arena) (repair func()){
	"cut": func(a *arena) func() {
		wire := a.hosts[0].Wires["eth0"]
		wire.Cut()
		return wire.Mend
	},
	"blackhole": func(a *arena) func() {
		wire := a.hosts[0].Wires["eth0"]
		wire.BlackHole()
		return wire.Restore
	},
	"stop": func(a *arena) func() {
		old := a.daemons[0]
		old.Signal(unix.SIGTERM)
		return func() {
			old.Wait(20 * time.Second)
			a.start(0)
		}
	},
	"crash": func(a *arena) func() {
		a.daemons[0].Crash()
		return func() { a.start(0) }
	},
}

// runFailovers runs all rows. At 1 s and 100 ms the contenders' rounds run at
// the same time, each in a network of its own; at shorter intervals they take
// turns, so that neither disturbs the other.
func runFailovers(o options) ([]failoverRow, error) {
	var rows []failoverRow
	var errs []error
	phases := spread(o.rounds)
	for _, interval := range o.intervals {
		var heats [][]*heat
		for _, failure := range o.failures {
			var both []*heat
			for _, c := range contenders {
				h := &heat{contender: c, failure: failure, interval: interval, phases: phases}
				if o.only.MatchString(h.name()) {
					both = append(both, h)
				}
			}
			heats = append(heats, both)
		}
		var all []*heat
		for _, both := range heats {
			all = append(all, both...)
		}
		switch {
		case interval >= time.Second:
			together(all)
		case interval >= 100*time.Millisecond:
			for _, both := range heats {
				together(both)
			}
		default:
			var turn sync.Mutex
			for _, both := range heats {
				for _, h := range both {
					h.turn = &turn
				}
				together(both)
			}
		}
		for _, h := range all {
			rows = append(rows, h.row())
			errs = append(errs, h.err)
		}
	}
	return rows, errors.Join(errs...)
}

func together(heats []*heat) {
	var all sync.WaitGroup
	for _, h := range heats {
		all.Go(h.run)
	}
	all.Wait()
}

// A heat runs the rounds of one row.
type heat struct {
	contender contender
	failure   string
	interval  time.Duration
	phases    []float64
	turn      *sync.Mutex // held during a round, if set
	rounds    []round
	err       error
}

func (h *heat) name() string {
	return fmt.Sprintf("failover/%s/%s/%v", h.contender.name, h.failure, h.interval)
}

func (h *heat) row() failoverRow {
	return failoverRow{Contender: h.contender.name, Failure: h.failure, Interval: h.interval.String(), Rounds: h.rounds}
}

func (h *heat) run() {
	log := func(line string) { fmt.Fprintf(os.Stderr, "%s: %s\n", h.name(), line) }
	err := lab.Standalone(h.name(), log, func(t lab.T) {
		a := newArena(t, h.contender, h.interval)
		for i, phase := range h.phases {
			r := h.takeTurn(a, phase)
			h.rounds = append(h.rounds, r)
			t.Logf("round %d: outage %.1f ms (%d lost), failback %.1f ms (%d lost), %d MAC changes",
				i+1, r.OutageMS, r.Lost, r.FailbackOutageMS, r.FailbackLost, r.MACChanges+r.FailbackChanges)
		}
	})
	if err != nil {
		h.err = fmt.Errorf("%s: %w", h.name(), err)
	}
}

func (h *heat) takeTurn(a *arena, phase float64) round {
	if h.turn != nil {
		h.turn.Lock()
		defer h.turn.Unlock()
	}
	return a.round(failureKinds[h.failure], phase)
}

// spread picks when in the interval the failures come: at random, but evenly
// over all rounds, and the same for everybody. An outage is shorter the later
// in the interval the failure comes, by up to a whole interval: with phases of
// their own, luck would decide between two contenders.
func spread(rounds int) []float64 {
	phases := make([]float64, rounds)
	for i := range phases {
		phases[i] = (float64(i) + rand.Float64()) / float64(rounds)
	}
	rand.Shuffle(rounds, func(i, j int) { phases[i], phases[j] = phases[j], phases[i] })
	return phases
}

// An arena is a network with two directors of one contender.
type arena struct {
	t         lab.T
	contender contender
	interval  time.Duration
	hosts     []*lab.Host
	daemons   []*lab.Process
	router    *lab.Host
	neighbour *lab.NeighbourWatch
}

func newArena(t lab.T, c contender, interval time.Duration) *arena {
	pair := lab.NewPair(t, 2)
	a := &arena{
		t: t, contender: c, interval: interval, hosts: pair.Directors, router: pair.Router,
		daemons: make([]*lab.Process, 2), neighbour: pair.Router.WatchNeighbour(lab.VIP),
	}
	for i := range a.hosts {
		a.start(i)
	}
	return a
}

func (a *arena) start(i int) {
	a.daemons[i] = a.contender.start(a.hosts[i], []router{{
		vrid: vrid, priority: 200 - 100*i, interval: a.interval, address: lab.VIP + "/24",
	}})
}

// limit is a generous time for anything that takes a few intervals.
func (a *arena) limit() time.Duration { return 10*time.Second + 10*a.interval }

// round lets the first director fail, at a phase of its interval, and come
// back.
func (a *arena) round(fail func(*arena) (repair func()), phase float64) round {
	r := round{Phase: phase}
	a.awaitMaster(0)
	second := a.hosts[1].Wires["eth0"].Capture()
	changes := a.neighbour.Changes()
	probe := a.router.Probe(lab.VIP, pulse)
	probe.AwaitAnswers(a.t, a.limit(), 50)
	a.sleepUntilPhase(phase)
	failed := time.Now()
	takenOver := func(f lab.Frame) bool { return f.Time.After(failed) && lab.Advertised(vrid)(f) }
	repair := fail(a)
	second.Await(a.t, a.limit(), "an advert of the second director", 1, takenOver)
	a.watchInterval(probe)
	tally := probe.Stop()
	r.OutageMS, r.Lost = milliseconds(tally.Worst().Duration()), tally.Lost
	r.FirstAdvertMS = milliseconds(second.Frames(takenOver)[0].Time.Sub(failed))
	r.MACChanges = a.neighbour.Changes() - changes
	r.ProbeNoiseMS = milliseconds(tally.LatestSend)
	a.close(second)

	changes = a.neighbour.Changes()
	probe = a.router.Probe(lab.VIP, pulse)
	probe.AwaitAnswers(a.t, a.limit(), 50)
	repair()
	a.awaitMaster(0)
	a.watchInterval(probe)
	tally = probe.Stop()
	r.FailbackOutageMS, r.FailbackLost = milliseconds(tally.Worst().Duration()), tally.Lost
	r.FailbackChanges = a.neighbour.Changes() - changes
	if err := a.neighbour.Err(); err != nil {
		a.t.Errorf("watch neighbours: %v", err)
	}
	return r
}

// sleepUntilPhase returns when this part of an interval has passed since an
// advert of the MASTER.
func (a *arena) sleepUntilPhase(phase float64) {
	capture := a.hosts[0].Wires["eth0"].Capture()
	defer a.close(capture)
	capture.Await(a.t, a.limit(), "an advert of the MASTER", 1, lab.Advertised(vrid))
	target := capture.Frames(lab.Advertised(vrid))[0].Time.Add(time.Duration(phase * float64(a.interval)))
	for time.Until(target) < 0 {
		target = target.Add(a.interval)
	}
	time.Sleep(time.Until(target))
}

// awaitMaster waits until only this director advertises.
func (a *arena) awaitMaster(i int) {
	mine, other := a.hosts[i].Wires["eth0"].Capture(), a.hosts[1-i].Wires["eth0"].Capture()
	defer a.close(mine)
	defer a.close(other)
	mine.Await(a.t, a.limit(), "adverts of "+a.hosts[i].Name, 1, lab.Advertised(vrid))
	// The other may have sent its last one while it heard ours.
	silent := other.Count(lab.Advertised(vrid))
	seen := mine.Count(lab.Advertised(vrid))
	lab.Wait(a.t, a.limit(), "adverts of "+a.hosts[i].Name+" alone", func() (string, bool) {
		if n := other.Count(lab.Advertised(vrid)); n != silent {
			silent, seen = n, mine.Count(lab.Advertised(vrid))
		}
		n := mine.Count(lab.Advertised(vrid)) - seen
		return fmt.Sprintf("%d in a row", n), n >= 2
	})
}

// watchInterval lets the probe see one whole interval with service, in which a
// late black hole would show.
func (a *arena) watchInterval(probe *lab.Probe) {
	probe.AwaitAnswers(a.t, a.limit(), int(a.interval/pulse)+100)
}

func (a *arena) close(c *lab.Capture) {
	if err := c.Stop(); err != nil {
		a.t.Errorf("capture: %v", err)
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
