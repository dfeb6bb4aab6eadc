package vrrp

import (
	"flag"
	"fmt"
	"hash/fnv"
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
