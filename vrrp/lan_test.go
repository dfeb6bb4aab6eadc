package vrrp

import (
	"flag"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	lanSeed    = flag.Uint64("lan.seed", 0, "play the LAN of this seed alone and tell what happens")
	lanSeconds = flag.Int64("lan.seconds", 0, "simulated seconds of TestLAN; 0 means 1,000,000, when short 50,000, under the race detector 10,000")
)

// TestLAN plays many pretend LANs of two to seven directors. Each goes through
// rounds: a time of troubles, in which anything may fail, then calm, in which
// the promises of the protocol and of this package must hold again. A LAN
// depends on its seed alone.
func TestLAN(t *testing.T) {
	if *lanSeed != 0 {
		l := newLAN(*lanSeed)
		l.tell = func(line string) { t.Log(line) }
		l.play()
		if l.failed != "" {
			t.Errorf("seed %d: %s", *lanSeed, l.failed)
		}
		return
	}
	want := time.Duration(*lanSeconds) * time.Second
	if want == 0 {
		want = 1_000_000 * time.Second
		if testing.Short() {
			want = 50_000 * time.Second
		}
		if raceDetector {
			want = 10_000 * time.Second
		}
	}
	var seed, sent atomic.Uint64
	var played atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for time.Duration(played.Load()) < want && !t.Failed() {
				l := newLAN(seed.Add(1))
				l.play()
				played.Add(int64(l.now))
				sent.Add(l.sent)
				if l.failed != "" {
					t.Error(retell(l))
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d LANs, %d simulated seconds, %d adverts sent", seed.Load(),
		int64(time.Duration(played.Load()).Seconds()), sent.Load())
}

// retell plays a failed LAN again and returns its end.
func retell(l *lan) string {
	again := newLANWith(l.seed, l.fast)
	var lines []string
	again.tell = func(line string) {
		if !strings.Contains(line, ": send priority=") {
			lines = append(lines, line)
		}
	}
	again.play()
	if again.failed != l.failed {
		return fmt.Sprintf("seed %d is not deterministic: %s, then %s", l.seed, l.failed, again.failed)
	}
	head := lines[:len(again.nodes)+1]
	tail := lines[len(head):]
	if len(tail) > 60 {
		tail = tail[len(tail)-60:]
	}
	return fmt.Sprintf("%s\n...\n%s\nseed %d: %s\nreplay it with: go test ./vrrp -run '%s$' -v -lan.seed=%d",
		strings.Join(head, "\n"), strings.Join(tail, "\n"), l.seed, l.failed, map[bool]string{false: "TestLAN", true: "TestFastLAN"}[l.fast], l.seed)
}

// Equal seeds give equal runs, to the last action.
func TestLANRepeats(t *testing.T) {
	hash := func(seed uint64) (uint64, int) {
		h, n := fnv.New64(), 0
		l := newLAN(seed)
		l.tell = func(line string) { h.Write([]byte(line)); n++ }
		l.play()
		return h.Sum64(), n
	}
	seen := map[uint64]bool{}
	for seed := uint64(1); seed <= 10; seed++ {
		a, lines := hash(seed)
		b, _ := hash(seed)
		if a != b {
			t.Errorf("seed %d: two runs differ", seed)
		}
		if lines < 100 {
			t.Errorf("seed %d: only %d lines", seed, lines)
		}
		seen[a] = true
	}
	if len(seen) != 10 {
		t.Errorf("10 seeds gave %d different runs", len(seen))
	}
}

// A lan is a world of like directors with random settings and fates.
type lan struct {
	*world
	seed   uint64
	wires  []string
	failed string
	tell   func(line string)

	crossed bool // the order of addresses differs between the wires
	exact   bool // clocks are good enough for promises about handing over
	// gapless is set while some director must serve on every wire.
	redundant bool // every wire has a second path
	gapless   bool
	mixed     bool // some directors are without Config.Fast
	// fastTakeovers, fastFlaps and fastDeaths say what TestFastLAN has seen.
	fastTakeovers, fastFlaps, fastDeaths uint64
	touched                              time.Duration // when something was last done to a director or a wire
	fast                                 bool          // Config.Fast and BFD sessions
}

const weather = 500 * time.Microsecond // the longest delay of a frame in calm

func newLAN(seed uint64) *lan { return newLANWith(seed, false) }

func newLANWith(seed uint64, fast bool) *lan {
	l := &lan{world: newWorld(seed), seed: seed, wires: []string{"lan"}, fast: fast}
	l.violate = func(format string, args ...any) { l.fail(format, args...) }
	l.moved = l.watch
	l.accused = l.checkAccused
	l.workMin, l.workMax = 200*time.Microsecond, 5*time.Millisecond
	if l.chance(0.35) {
		l.wires = []string{"outside", "inside"}
	}
	l.fair()
	l.populate()
	return l
}

func (l *lan) chance(p float64) bool { return l.rng.Float64() < p }

func pick[T any](l *lan, list ...T) T { return list[l.rng.IntN(len(list))] }

// populate makes the directors: one version, family and number of wires for
// all, the rest to each its own.
func (l *lan) populate() {
	cfg := Config{Family: IPv4, Version: 3, VRID: uint8(1 + l.rng.IntN(255))}
	switch {
	case l.chance(0.25):
		cfg.Version = 2
	case l.chance(0.3):
		cfg.Family = IPv6
	}
	cfg.Interval = l.anyInterval(cfg.Version)
	cfg.DownAfter = pick[uint8](l, 0, 0, 0, 2, 4, 5)
	cfg.Checksum = pick(l, ChecksumPseudo, ChecksumRFC9568)
	l.populateFast(&cfg)
	sameInterval := cfg.Version == 2 || l.chance(0.7)
	l.exact = l.chance(0.8)
	l.crossed = l.chance(0.3)
	owner := -1
	count := 2 + l.rng.IntN(6)
	if l.chance(0.1) {
		owner = l.rng.IntN(count)
	}
	ties := l.chance(0.3)
	for i := range count {
		c := cfg
		if !sameInterval {
			c.Interval = l.anyInterval(c.Version)
		}
		c.Priority = l.anyPriority(ties)
		if i == owner {
			c.Priority = PriorityOwner
		}
		c.Fast = c.Fast && (!l.mixed || l.chance(0.7))
		c.Preempt = l.chance(0.75)
		if c.Preempt && l.chance(0.2) {
			c.PreemptDelay = l.between(0, 20*c.Interval)
		}
		l.addDelays(&c)
		l.populateNode(i, c)
	}
	l.populatePaths()
}

// addDelays gives some directors delays.
func (l *lan) addDelays(c *Config) {
	if l.chance(0.1) {
		c.StartDelay = l.between(0, 20*c.Interval)
	}
	if l.chance(0.1) {
		c.LinkDelay = l.between(0, 20*c.Interval)
	}
	if l.chance(0.1) && c.Preempt && c.Priority != PriorityOwner {
		c.MinHold = l.between(0, 40*c.Interval)
	}
}

func (l *lan) populateNode(i int, c Config) {
	var cfgs []Config
	var sources []netip.Addr
	for wire := range l.wires {
		c := c
		c.Name = fmt.Sprintf("%c/%s", 'a'+i, l.wires[wire])
		c.VRID += uint8(wire)
		if c.VRID == 0 {
			c.VRID = 1
		}
		host := byte(1 + i)
		if wire == 1 && l.crossed {
			host = byte(100 - i)
		}
		source := netip.AddrFrom4([4]byte{10, byte(wire), 0, host})
		if c.Family == IPv6 {
			source = netip.AddrFrom16([16]byte{0xfe, 0x80, 14: byte(wire), 15: host})
		}
		c.Addresses = addresses(c.Family, 1+wire)
		cfgs = append(cfgs, c)
		sources = append(sources, source)
	}
	n := l.add(string(rune('a'+i)), cfgs, l.wires, sources)
	n.beat = l.chance(0.5)
	if l.exact {
		n.drift = l.rng.Int64N(401) - 200
	} else {
		n.drift = l.rng.Int64N(40_001) - 20_000
	}
}

func (l *lan) anyInterval(version uint8) time.Duration {
	if version == 2 {
		return pick(l, time.Second, time.Second, 2*time.Second, 5*time.Second)
	}
	if l.chance(0.1) {
		return pick(l, MinIntervalV3, 3*time.Second, 10*time.Second, MaxIntervalV3)
	}
	return pick(l, 100*time.Millisecond, 250*time.Millisecond, time.Second, time.Second)
}

func (l *lan) anyPriority(ties bool) uint8 {
	if ties {
		return pick[uint8](l, 100, 150)
	}
	return uint8(1 + l.rng.IntN(254))
}

// longest returns the longest interval and the longest sum of delays on the LAN.
func (l *lan) longest() (interval, delay time.Duration) {
	for _, n := range l.nodes {
		interval = max(interval, n.cfgs[0].Interval)
		c := &n.cfgs[0]
		delay = max(delay, max(c.StartDelay, c.LinkDelay)+c.PreemptDelay+c.MinHold)
	}
	return
}

func (l *lan) fail(format string, args ...any) {
	if !l.halted {
		l.halted = true
		l.failed = fmt.Sprintf("at %v: %s", l.now, fmt.Sprintf(format, args...))
	}
}

// note records what the play does to the directors.
func (l *lan) note(format string, args ...any) {
	if l.tell != nil {
		l.tell(fmt.Sprintf("%12v * %s", l.now, fmt.Sprintf(format, args...)))
	}
}

// play is the whole run.
func (l *lan) play() {
	if l.tell != nil {
		l.log = func(n *node, member int, text string) {
			l.tell(fmt.Sprintf("%12v %s: %s", l.now, n.portName(member), text))
		}
		l.tell(fmt.Sprintf("seed %d: wires %v, exact clocks %v, crossed addresses %v", l.seed, l.wires, l.exact, l.crossed))
		for _, n := range l.nodes {
			c := n.cfgs[0]
			l.tell(fmt.Sprintf("  %s: v%d %v priority %d interval %v preempt %v delay %v down after %d start delay %v link delay %v min hold %v drift %d ppm",
				n.name, c.Version, c.Family, c.Priority, c.Interval, c.Preempt, c.PreemptDelay,
				c.DownAfter, c.StartDelay, c.LinkDelay, c.MinHold, n.drift))
		}
	}
	l.calm()
	for range 4 {
		l.troubles()
		l.calm()
		for range 3 {
			l.exercise()
			if l.failed != "" {
				return
			}
		}
	}
}

// --- troubles

func (l *lan) fair() {
	l.loss, l.duplicate, l.reorder, l.claimLoss, l.bfdLoss = 0, 0, false, 0, 0
	l.delayMin, l.delayMax = 50*time.Microsecond, weather
}

func (l *lan) foul() {
	interval, _ := l.longest()
	l.loss = pick(l, 0, 0.01, 0.1, 0.3)
	l.duplicate = pick(l, 0, 0.1)
	l.reorder = l.chance(0.5)
	l.delayMax = pick(l, weather, interval/20, interval/3, 2*interval)
	l.claimLoss = pick(l, 0, 0, 0.2)
	l.parts = pick(l, 0, 0.5, 1)
	l.foulFast()
}

// troubles lets random things happen for a random time.
func (l *lan) troubles() {
	interval, _ := l.longest()
	for range 3 + l.rng.IntN(20) {
		l.foul()
		l.mischief()
		l.run(l.between(0, 4*interval))
	}
}

// mischief does one random thing to one random director.
func (l *lan) mischief() {
	l.touched = l.now
	n := l.nodes[l.rng.IntN(len(l.nodes))]
	i := l.rng.IntN(len(n.ports))
	if !n.on {
		l.note("start %s", n.name)
		n.start()
		return
	}
	what := l.rng.IntN(13 + l.mischiefsFast())
	if n.paused && what > 3 { // the daemon cannot hear of the rest
		l.note("resume %s", n.name)
		n.resume()
		return
	}
	switch what {
	case 0:
		l.note("kill %s", n.name)
		n.kill()
	case 1, 2:
		if l.mischiefPath(n, i) {
			return
		}
		n.ports[i].cut = !n.ports[i].cut
		l.note("cut %s: %v", n.portName(i), n.ports[i].cut)
	case 3:
		l.partition(i)
	case 4:
		l.note("pause %s", n.name)
		n.pause()
	case 5:
		l.note("stop %s", n.name)
		n.stepAll(Stop{})
	case 6:
		lost := l.chance(0.5)
		l.note("fault %s (wire lost: %v)", n.portName(i), lost)
		n.step(i, Faulted{Key: "link", Problem: "broken", WireLost: lost})
	case 7:
		l.note("recover %s", n.portName(i))
		n.step(i, Recovered{"link"})
	case 8:
		sum := l.rng.IntN(500) - 250
		l.note("weigh %s %d", n.portName(i), sum)
		n.step(i, TrackerWeight{sum})
	case 9:
		l.reconfigure(n)
	case 10:
		n.ports[i].claimFails = !n.ports[i].claimFails
		l.note("claims of %s fail: %v", n.portName(i), n.ports[i].claimFails)
	case 11:
		if len(n.groups) > 1 {
			l.note("put the group of %s together", n.name)
			n.putTogether()
		} else {
			l.note("take the group of %s apart", n.name)
			n.takeApart()
		}
	case 12:
		why := []string{"", "because"}[l.rng.IntN(2)]
		l.note("hold preemption of %s: %q", n.name, why)
		n.stepAll(HoldPreempt{why})
	default:
		l.mischiefFast(n, i, what-13)
	}
}

// partition cuts half of the directors off a wire. Those that were cut before
// come back.
func (l *lan) partition(wire int) {
	l.note("partition %s", l.wires[wire])
	for _, n := range l.nodes {
		n.ports[wire].cut = l.chance(0.5)
	}
}

// reconfigure changes something, for all members alike. A version 2 interval
// is the same for all directors, or they would not hear each other.
func (l *lan) reconfigure(n *node) {
	c := n.cfgs[0]
	list := c.Addresses
	switch l.rng.IntN(4) {
	case 0:
		if c.Priority != PriorityOwner {
			c.Priority = l.anyPriority(false)
		}
	case 1:
		c.Preempt = !c.Preempt
		c.PreemptDelay, c.MinHold = 0, 0
	case 2:
		if c.Version == 3 {
			c.Interval = l.anyInterval(3)
		}
	case 3:
		list = addresses(c.Family, 1+l.rng.IntN(4))
	}
	l.note("reconfigure %s: priority %d interval %v preempt %v, %d addresses",
		n.name, c.Priority, c.Interval, c.Preempt, len(list))
	for i := range n.cfgs {
		own := n.cfgs[i]
		own.Priority, own.Preempt, own.PreemptDelay, own.MinHold, own.Interval, own.Addresses =
			c.Priority, c.Preempt, c.PreemptDelay, c.MinHold, c.Interval, list
		n.cfgs[i] = own
		n.step(i, Reconfigure{Config: own})
	}
}

// --- calm

// calm mends everything, waits as long as the protocol may need, and checks.
func (l *lan) calm() {
	l.note("calm")
	l.fair()
	for _, n := range l.nodes {
		l.repair(n)
	}
	interval, delay := l.longest()
	l.run(9*interval + 2*delay + time.Second)
	master := l.checkQuiet()
	l.checkFast()
	for range 8 {
		l.run(interval / 2)
		if now := l.checkQuiet(); now != master {
			l.fail("MASTER changed from %v to %v in calm", nameOf(master), nameOf(now))
		}
	}
}

func nameOf(n *node) string {
	if n == nil {
		return "nobody"
	}
	return n.name
}

// repair makes a director well. A stopped daemon is started anew.
func (l *lan) repair(n *node) {
	for i := range n.ports {
		n.ports[i].cut = false
		n.ports[i].claimFails = false
		n.ports[i].mendAlso()
		n.ports[i].mend()
	}
	if n.on && n.state() == Init {
		n.kill()
	}
	if !n.on {
		n.start()
		return
	}
	n.resume()
	n.stepAll(HoldPreempt{})
	if len(n.groups) > 1 {
		n.putTogether()
	}
	for i := range n.ports {
		n.step(i, Recovered{"link"})
		n.step(i, Recovered{claimFault})
		n.step(i, TrackerWeight{0})
	}
}

// checkQuiet checks what must hold when nothing has happened for long, and
// returns the MASTER.
func (l *lan) checkQuiet() *node {
	var master *node
	for _, n := range l.nodes {
		if !n.on {
			continue
		}
		if n.state() == Master {
			if master != nil {
				l.fail("%s and %s are both MASTER", master.name, n.name)
			}
			master = n
		}
		want, dev := Backup, down
		if n.state() == Master {
			want, dev = Master, up
		}
		for i := range n.ports {
			m := n.machine(i)
			if m.State() != want || n.ports[i].device != dev {
				l.fail("%s is %v with its device %d in a group that is %v",
					n.portName(i), m.State(), n.ports[i].device, n.state())
			}
		}
	}
	if master == nil {
		l.fail("nobody is MASTER")
		return nil
	}
	for _, n := range l.nodes {
		c := n.cfgs[0]
		if n.on && c.Priority > master.cfgs[0].Priority && (c.Preempt || c.Priority == PriorityOwner) {
			l.fail("%s (priority %d) has not preempted %s (priority %d)",
				n.name, c.Priority, master.name, master.cfgs[0].Priority)
		}
	}
	return master
}

// watch sees every change of a device: while a promise of service holds, on
// each wire some director has the addresses.
func (l *lan) watch() {
	if !l.gapless {
		return
	}
	for i, wire := range l.wires {
		if !slices.ContainsFunc(l.nodes, func(n *node) bool { return n.on && n.ports[i].device != down }) {
			l.fail("nobody serves on wire %s", wire)
		}
	}
}
