package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"holdfast/integration/lab"
)

const (
	outsideVRID = 51
	insideVRID  = 52
	pulse       = time.Millisecond // between two probes
)

// An arena is a network with two directors of one contender, the first with the
// higher priority, and those that watch them: the router outside and a realserver
// inside.
type arena struct {
	t         lab.T
	pair      *lab.Pair
	interval  time.Duration
	grouped   bool
	directors []director
	believed  []*lab.NeighbourWatch // what the router and a realserver take for the virtual MAC
}

func newArena(t lab.T, c contender, interval time.Duration, grouped bool) *arena {
	pair := lab.NewPair(t, 2)
	pair.Router.Route("192.168.0.0/24", lab.VIP)
	a := &arena{t: t, pair: pair, interval: interval, grouped: grouped, believed: []*lab.NeighbourWatch{
		pair.Router.WatchNeighbour(lab.VIP), pair.Realservers[0].WatchNeighbour(lab.DIP),
	}}
	for i, host := range pair.Directors {
		a.directors = append(a.directors, c.launch(host, a.setup(i)))
	}
	a.awaitMaster(0)
	return a
}

// setup is the configuration of one director, with further virtual addresses.
func (a *arena) setup(i int, more ...string) setup {
	r := router{priority: priorities[i], interval: a.interval}
	outside, inside := r, r
	outside.name, outside.device, outside.vrid = "outside", "eth0", outsideVRID
	outside.addresses = append([]string{lab.VIP + "/24"}, more...)
	inside.name, inside.device, inside.vrid = "inside", "eth1", insideVRID
	inside.addresses = []string{lab.DIP + "/24"}
	return setup{routers: []router{outside, inside}, grouped: a.grouped}
}

var priorities = []int{200, 100}

// skew is the skew time of the second director (RFC 9568 section 6.1).
func skew(interval time.Duration) time.Duration {
	return time.Duration(256-priorities[1]) * interval / 256
}

// masterDown is after how long without an advert the second director takes
// over (RFC 9568 section 6.1).
func masterDown(interval time.Duration) time.Duration { return 3*interval + skew(interval) }

// limit is a generous time for anything that takes a few intervals.
func (a *arena) limit() time.Duration { return 15*time.Second + 10*a.interval }

// own is the address of a director outside.
func own(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 2)}) }

// heard matches adverts of a director outside, wherever they are captured.
func heard(i int) func(lab.Frame) bool {
	return func(f lab.Frame) bool {
		advert, ok := f.Advert()
		return ok && advert.VRID == outsideVRID && advert.Source == own(i)
	}
}

// since limits what matches to later frames.
func since(start time.Time, match func(lab.Frame) bool) func(lab.Frame) bool {
	return func(f lab.Frame) bool { return f.Time.After(start) && match(f) }
}

// served matches what the host at the wire sends as the VIP: its answers.
func served(f lab.Frame) bool {
	if _, arp := f.ARP(); arp {
		return false
	}
	speaker, ok := f.Speaker()
	return ok && f.FromHost && speaker == netip.MustParseAddr(lab.VIP)
}

// awaitMaster waits until a director alone has advertised for an interval,
// outside and inside, as others hear it.
func (a *arena) awaitMaster(i int) {
	captures := []*lab.Capture{a.pair.Router.Wires["eth0"].CaptureAdverts(), a.pair.Realservers[0].Wires["eth0"].CaptureAdverts()}
	lab.Wait(a.t, a.limit(), "adverts of "+a.pair.Directors[i].Name+" alone", func() (string, bool) {
		outside, inside := inARow(captures[0], priorities[i]), inARow(captures[1], priorities[i])
		return fmt.Sprintf("%d in a row outside, %d inside", outside, inside), min(outside, inside) >= 2
	})
	for _, c := range captures {
		a.close(c)
	}
}

// inARow counts the adverts at the end that all have one priority.
func inARow(c *lab.Capture, priority int) int {
	row := 0
	for _, f := range c.Frames(func(lab.Frame) bool { return true }) {
		row++
		if advert, _ := f.Advert(); advert.Priority != byte(priority) {
			row = 0
		}
	}
	return row
}

// changes counts the changes of virtual MACs that others believe in.
func (a *arena) changes() int {
	n := 0
	for _, watch := range a.believed {
		if err := watch.Err(); err != nil {
			a.t.Errorf("watch neighbours: %v", err)
		}
		n += watch.Changes()
	}
	return n
}

// probes ask from several hosts at once.
type probes struct {
	arena             *arena
	vip, dip, through *lab.Probe // dip or through may be nil
}

// probeVirtual asks the VIP from outside and the DIP from inside.
func (a *arena) probeVirtual() *probes {
	return a.flowing(&probes{
		arena: a, vip: a.pair.Router.Probe(lab.VIP, pulse), dip: a.pair.Realservers[0].Probe(lab.DIP, pulse),
	})
}

// probeThrough probes the VIP from outside, and from inside the router, by way of the
// DIP there and of the VIP back.
func (a *arena) probeThrough() *probes {
	return a.flowing(&probes{
		arena: a, vip: a.pair.Router.Probe(lab.VIP, pulse), through: a.pair.Realservers[1].Probe(lab.RouterIP, pulse),
	})
}

func (a *arena) flowing(p *probes) *probes {
	p.watch(50)
	return p
}

// watch waits until the probes have had n more answers.
func (p *probes) watch(answers int) {
	for _, probe := range p.all() {
		probe.AwaitAnswers(p.arena.t, p.arena.limit(), answers)
	}
}

func (p *probes) all() []*lab.Probe {
	var all []*lab.Probe
	for _, probe := range []*lab.Probe{p.vip, p.dip, p.through} {
		if probe != nil {
			all = append(all, probe)
		}
	}
	return all
}

// watchInterval lets the probes see one whole interval with service, in which
// a late black hole would show.
func (p *probes) watchInterval() { p.watch(int(p.arena.interval/pulse) + 100) }

// sleepUntilPhase returns when this part of an interval has passed since an
// advert of a director's, which the capture at the router hears.
func (a *arena) sleepUntilPhase(i int, phase float64, atRouter *lab.Capture) {
	before := atRouter.Count(heard(i))
	atRouter.Await(a.t, a.limit(), "an advert of the MASTER", before+1, heard(i))
	last := atRouter.Frames(heard(i))[before]
	target := last.Time.Add(time.Duration(phase * float64(a.interval)))
	for time.Until(target) < 0 {
		target = target.Add(a.interval)
	}
	time.Sleep(time.Until(target))
}

func (a *arena) close(c *lab.Capture) {
	if err := c.Stop(); err != nil {
		a.t.Errorf("capture: %v", err)
	}
	if missed := c.Missed(); missed > 0 {
		a.t.Errorf("capture: had no room for %d frames", missed)
	}
}

// phases picks the moments within the interval at which the failures happen: at
// random, evenly spread over all rounds, and the same for all contenders. The later in
// the interval a failure happens, the shorter is the outage, by up to a whole
// interval. With phases of their own, luck would decide between contenders.
func phases(seed uint64, rounds int) []float64 {
	random := rand.New(rand.NewPCG(seed, 0))
	phases := make([]float64, rounds)
	for i := range phases {
		phases[i] = (float64(i) + random.Float64()) / float64(rounds)
	}
	random.Shuffle(rounds, func(i, j int) { phases[i], phases[j] = phases[j], phases[i] })
	return phases
}
