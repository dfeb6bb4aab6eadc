package integration_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
)

var (
	chaosSeconds = flag.Int("chaos.seconds", 30, "how long TestChaos goes on")
	chaosFast    = flag.String("chaos.fast", "", "whether the directors of TestChaos have fast: true, false, or \"\" as the seed has it")
	chaosSeed    = flag.Uint64("chaos.seed", 0, "the choices of TestChaos; 0 takes others every time")
)

// The lone virtual router of TestChaos beside the group's.
const (
	loneVRID = 60
	loneVIP  = "10.0.0.200"
)

// A chaos is three directors into which faults are injected.
type chaos struct {
	t       *testing.T
	p       *lab.Pair
	random  *rand.Rand
	victims []*victim
	probes  map[string]*lab.Probe
	macs    *watch
	history []happening
	kinds   map[string]int
}

// A happening is a line of the list of what was done, and when.
type happening struct {
	at       time.Time
	what     string
	harmless bool // nothing is to be lost because of it
}

// A fault is injected into a victim. It returns the function that ends it, or nil if it
// is over at once.
type fault struct {
	name     string
	harmless bool // no packet is lost, if nothing else happens
	do       func(c *chaos, v *victim) (end func())
}

var faults = []fault{
	{"SIGKILL", true, func(c *chaos, v *victim) func() {
		c.read(v)
		v.dies(time.Now())
		v.daemon.Crash()
		return func() { c.restart(v) }
	}},
	{"SIGTERM", true, func(c *chaos, v *victim) func() {
		c.read(v)
		asked := time.Now()
		v.daemon.Signal(unix.SIGTERM)
		return func() {
			if status := v.daemon.Wait(20 * time.Second); status != 0 {
				c.t.Errorf("%s: exit status %d", v.host.Name, status)
			}
			v.leaves(asked, time.Now())
			c.restart(v)
		}
	}},
	{"release after SIGKILL", true, func(c *chaos, v *victim) func() {
		c.read(v)
		v.dies(time.Now())
		v.daemon.Crash()
		return func() {
			obeyed(c.t, v.daemon, "release")
			c.restart(v)
		}
	}},
	{"SIGSTOP", true, func(_ *chaos, v *victim) func() {
		hears := v.deafens("")
		v.daemon.Signal(unix.SIGSTOP)
		return func() {
			v.daemon.Signal(unix.SIGCONT)
			hears()
		}
	}},
	{"cut outside", false, cut("eth0")},
	{"cut inside", false, cut("eth1")},
	{"black hole", false, func(_ *chaos, v *victim) func() {
		hears := v.deafens("")
		for _, wire := range v.host.Wires {
			wire.BlackHole()
		}
		return func() {
			for _, wire := range v.host.Wires {
				wire.Restore()
			}
			hears()
		}
	}},
	{"reload", true, func(c *chaos, v *victim) func() {
		v.priority = 20 + 20*c.random.IntN(10)
		v.renamed = c.random.IntN(2) == 0
		v.configure()
		if err := v.daemon.Reload(); err != nil {
			c.t.Errorf("%s: reload: %v", v.host.Name, err)
		}
		return nil
	}},
	{"upgrade", true, func(c *chaos, v *victim) func() {
		obeyed(c.t, v.daemon, "upgrade")
		return nil
	}},
	{"handover", true, func(_ *chaos, v *victim) func() {
		// The command is refused if nothing is MASTER here, or if another fault has
		// just hit the director that was to take over.
		_, _, _ = v.daemon.CLI("handover")
		return nil
	}},
	{"delete the VIP", false, sabotage("ip", "addr", "del", lab.VIP+"/24", "dev", "vrrp4-51")},
	{"flush addresses", false, sabotage("ip", "addr", "flush", "dev", "vrrp4-60")},
	{"macvlan down", false, sabotage("ip", "link", "set", "vrrp4-51", "down")},
	{"delete the macvlan", false, sabotage("ip", "link", "del", "vrrp4-52")},
}

// cut removes the carrier of an interface. The kernel reports that after a moment.
func cut(wire string) func(c *chaos, v *victim) func() {
	return func(_ *chaos, v *victim) func() {
		hears := v.deafens(wire)
		v.host.Wires[wire].Cut()
		return func() {
			v.host.Wires[wire].Replug()
			hears()
		}
	}
}

// sabotage runs a command, which may fail if there is nothing to break.
func sabotage(command ...string) func(c *chaos, v *victim) func() {
	return func(_ *chaos, v *victim) func() {
		_, _ = v.host.Try(command[0], command[1:]...)
		return nil
	}
}

// TestChaos injects one fault after another into three directors, sometimes two at a
// time, so that one director could always serve. The router and the realservers never
// see another MAC than the virtual one, and each virtual address is back within the
// time that the protocol takes. No director sends from a virtual MAC unless it is
// MASTER. With fast, nobody takes over from a MASTER whose adverts come on time. In the
// end everything is as it was.
func TestChaos(t *testing.T) {
	seed := *chaosSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano() % 1_000_000)
	}
	t.Logf("-chaos.seed=%d", seed)
	c := newChaos(t, seed)
	t.Cleanup(func() {
		if t.Failed() || testing.Verbose() {
			t.Logf("-chaos.seed=%d:\n%s", seed, c.tell())
		}
	})
	var before []lab.Snapshot
	for _, v := range c.victims {
		before = append(before, v.host.Snapshot())
	}
	c.start()
	for end := time.Now().Add(time.Duration(*chaosSeconds) * time.Second); time.Now().Before(end) && !t.Failed(); {
		c.happen()
	}
	c.check()
	for i, v := range c.victims {
		if status := v.daemon.Stop(); status != 0 {
			t.Errorf("%s: exit status %d", v.host.Name, status)
		}
		if diff := before[i].Diff(v.host.Snapshot()); diff != "" {
			t.Errorf("%s is not as it was:\n%s", v.host.Name, diff)
		}
	}
	t.Logf("faults: %v", c.kinds)
}

func newChaos(t *testing.T, seed uint64) *chaos {
	t.Helper()
	p := lab.NewPair(t, 3)
	c := &chaos{t: t, p: p, random: rand.New(rand.NewPCG(seed, seed)), kinds: map[string]int{}}
	withFast := c.random.IntN(2) == 0
	if *chaosFast != "" {
		withFast = *chaosFast == "true"
	}
	t.Logf("fast: %v", withFast)
	for i, host := range p.Directors {
		c.victims = append(c.victims, newVictim(host, priorities[i], withFast))
	}
	return c
}

// start starts the directors and everything that watches them.
func (c *chaos) start() {
	c.t.Helper()
	c.macs = watchMACs(c.p, false)
	c.macs.entries["router "+loneVIP] = c.p.Router.WatchNeighbour(loneVIP)
	c.macs.want["router "+loneVIP] = lab.VirtualMAC(loneVRID)
	for _, v := range c.victims {
		v.daemon.Restart()
	}
	c.settle()
	c.p.Router.Route("192.168.0.0/24", lab.VIP)
	const interval = 4 * time.Millisecond
	c.probes = map[string]*lab.Probe{
		"VIP":      c.p.Router.Probe(lab.VIP, interval),
		"lone VIP": c.p.Router.Probe(loneVIP, interval),
		"DIP":      c.p.Realservers[0].Probe(lab.DIP, interval),
		"through":  c.p.Realservers[1].Probe(lab.RouterIP, interval),
	}
	wire := c.p.Host("asker").Plug(c.p.Outside, "eth0", "10.0.0.77/24")
	for _, address := range []string{lab.VIP, loneVIP} {
		wire.Repeat(wire.ARPRequest("10.0.0.77", address), 23*time.Millisecond)
	}
	c.settle()
}

// happen lets one or two things happen and waits until all is well again.
func (c *chaos) happen() {
	c.t.Helper()
	victims := []*victim{c.choose(nil)}
	if c.random.IntN(4) == 0 {
		victims = append(victims, c.choose(victims[0]))
	}
	var ends []func()
	for i, v := range victims {
		if i > 0 {
			c.pause(300)
		}
		f := faults[c.random.IntN(len(faults))]
		harmless := f.harmless && len(victims) == 1
		c.note(v, f.name, harmless)
		c.kinds[f.name]++
		if end := f.do(c, v); end != nil {
			ends = append(ends, func() {
				c.note(v, "end of "+f.name, harmless)
				end()
			})
		}
	}
	c.pause(1200)
	for _, end := range ends {
		end()
		c.pause(100)
	}
	c.settle()
}

// choose takes the MASTER of the group more often than the others.
func (c *chaos) choose(other *victim) *victim {
	v := c.victims[c.random.IntN(len(c.victims))]
	if c.random.IntN(2) == 0 {
		for _, master := range c.victims {
			if master.wasMaster {
				v = master
			}
		}
	}
	for v == other {
		v = c.victims[c.random.IntN(len(c.victims))]
	}
	return v
}

func (c *chaos) pause(most int) { time.Sleep(time.Duration(c.random.IntN(most)) * time.Millisecond) }

func (c *chaos) note(v *victim, what string, harmless bool) {
	c.history = append(c.history, happening{time.Now(), v.host.Name + ": " + what, harmless})
}

// tell lists the injected faults, and at the end what was lost.
func (c *chaos) tell() string {
	slices.SortStableFunc(c.history, func(a, b happening) int { return a.at.Compare(b.at) })
	var out strings.Builder
	for _, h := range c.history {
		fmt.Fprintf(&out, "%s %s\n", h.at.Format("15:04:05.000"), h.what)
	}
	return out.String()
}

func (c *chaos) restart(v *victim) {
	c.t.Helper()
	v.daemon.Restart()
	lab.Wait(c.t, 10*time.Second, v.host.Name+" answers", func() (string, bool) {
		_, err := v.daemon.Status()
		return fmt.Sprint(err), err == nil
	})
	v.returns(time.Now())
}

// settle waits until every virtual router has one MASTER and two BACKUPs, all members
// of the group have the same MASTER, and the probes are answered.
func (c *chaos) settle() {
	c.t.Helper()
	lab.Wait(c.t, 10*time.Second, "one MASTER everywhere", func() (string, bool) {
		seen, masters := "", map[string][]string{}
		well := true
		for _, v := range c.victims {
			s, err := v.daemon.Status()
			if err != nil {
				return fmt.Sprintf("%s: %v", v.host.Name, err), false
			}
			for _, r := range s.VRRP {
				seen += fmt.Sprintf("%s %s %s %v; ", v.host.Name, r.Name, r.State, r.Holding)
				well = well && (r.State == "MASTER" || r.State == "BACKUP") && r.Holding == (r.State == "MASTER")
				if r.State == "MASTER" {
					masters[r.Name] = append(masters[r.Name], v.host.Name)
				}
			}
			v.wasMaster = s.States()["outside"] == "MASTER"
		}
		for _, name := range []string{"outside", "inside", "lone"} {
			well = well && len(masters[name]) == 1
		}
		return seen, well && masters["outside"][0] == masters["inside"][0]
	})
	for _, probe := range c.probes {
		probe.AwaitAnswers(c.t, 5*time.Second, 10)
	}
	for _, v := range c.victims {
		c.read(v)
	}
}
