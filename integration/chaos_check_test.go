package integration_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/integration/lab"
)

// protocolBound is the longest time without a MASTER: three intervals and the skew of
// the lowest priority, plus some time for a busy machine to claim addresses, repair
// devices or start a process.
const protocolBound = 4*fast + 250*time.Millisecond

// A victim is a director that suffers faults.
type victim struct {
	host      *lab.Host
	daemon    *lab.Daemon
	priority  int
	renamed   bool // its group is not called as at first
	wasMaster bool // of the group, when it was last looked at
	read      uint64
	routers   map[string]*account
	dead      []span // the process is gone; its kernel may go on as it was

	fast        bool // see the key of that name
	accusations []accusation
}

// An account is what a director reports of one virtual router, and what the wire shows.
type account struct {
	vrid    byte
	address string
	capture *lab.Capture
	reigns  []span
	deaf    []span // it heard nobody, and so may have been MASTER beside another
}

func newVictim(host *lab.Host, priority int, fast bool) *victim {
	v := &victim{host: host, priority: priority, fast: fast, routers: map[string]*account{}}
	outside, inside := host.Wires["eth0"].Capture(), host.Wires["eth1"].Capture()
	v.routers["outside"] = &account{vrid: 51, address: lab.VIP, capture: outside}
	v.routers["lone"] = &account{vrid: loneVRID, address: loneVIP, capture: outside}
	v.routers["inside"] = &account{vrid: 52, address: lab.DIP, capture: inside}
	v.daemon = host.NewDaemon(v.config())
	return v
}

func (v *victim) config() string {
	lone := fmt.Sprintf("[[vrrp]]\nname = \"lone\"\ninterface = \"eth0\"\nvrid = %d\npriority = %d\ninterval = %q\naddresses = [\"%s/24\"]\n",
		loneVRID, 250-v.priority, fast, loneVIP)
	config := lab.Director{Priority: v.priority, Interval: fast, More: lone}.TOML()
	if v.fast {
		config = strings.ReplaceAll(config, "[[vrrp]]\n", "[[vrrp]]\nfast = true\n")
	}
	if v.renamed {
		config = strings.Replace(config, `name = "director"`, `name = "site"`, 1)
	}
	return config
}

func (v *victim) configure() { v.daemon.Configure(v.config()) }

// read takes note of the transitions since the last time.
func (c *chaos) read(v *victim) {
	c.t.Helper()
	for _, e := range events(c.t, v.daemon, v.read) {
		v.read = e.Seq
		a := v.routers[e.Subject]
		switch {
		case e.Kind != "instance" || a == nil:
		case e.To == "MASTER":
			a.begin(e.At)
			v.accuse(&e)
		default:
			a.end(e.At)
		}
	}
}

// begin begins a reign, if there is none at present.
func (a *account) begin(at time.Time) {
	if n := len(a.reigns); n == 0 || a.reigns[n-1].to.Before(time.Now()) {
		a.reigns = append(a.reigns, span{from: at, to: time.Now().Add(24 * time.Hour)})
	}
}

// end ends the present reign, if there is one.
func (a *account) end(at time.Time) {
	if n := len(a.reigns); n > 0 && a.reigns[n-1].to.After(at) {
		a.reigns[n-1].to = at
	}
}

// dies notes that the process is gone while its kernel runs on.
func (v *victim) dies(at time.Time) {
	for _, a := range v.routers {
		a.end(at)
	}
	v.dead = append(v.dead, span{from: at, to: time.Now().Add(24 * time.Hour)})
	v.read = 0
}

// leaves notes a clean stop: a MASTER stays one until it sends priority 0, or for as
// long as it sends anything. It may have become MASTER just before, in a journal that
// is gone by now.
func (v *victim) leaves(asked, gone time.Time) {
	for _, a := range v.routers {
		last := gone
		for _, f := range a.capture.Frames(lab.Advertised(a.vrid)) {
			if !f.FromHost || f.Time.Before(asked.Add(-fast)) {
				continue
			}
			if !within(f.Time, a.reigns, promptly) {
				a.begin(f.Time)
			}
			last = earlier(gone, f.Time.Add(fast))
			if advert, _ := f.Advert(); advert.Priority == 0 {
				last = f.Time
				break
			}
		}
		a.end(last)
	}
	v.read = 0
}

// deafens notes that the director receives nothing on an interface ("" means on any)
// until the returned function is called.
func (v *victim) deafens(wire string) (hears func()) {
	var deaf []*account
	for name, a := range v.routers {
		if on := map[bool]string{true: "eth1", false: "eth0"}[name == "inside"]; wire == "" || wire == on {
			a.deaf = append(a.deaf, span{from: time.Now(), to: time.Now().Add(24 * time.Hour)})
			deaf = append(deaf, a)
		}
	}
	return func() {
		for _, a := range deaf {
			a.deaf[len(a.deaf)-1].to = time.Now()
		}
	}
}

// returns notes that a daemon manages the kernel again.
func (v *victim) returns(at time.Time) {
	if n := len(v.dead); n > 0 && v.dead[n-1].to.After(at) {
		v.dead[n-1].to = at
	}
}

// check judges what was seen.
func (c *chaos) check() {
	c.t.Helper()
	now := time.Now()
	for _, v := range c.victims {
		for _, a := range v.routers {
			if err := a.capture.Stop(); err != nil {
				c.t.Errorf("%s: capture: %v", v.host.Name, err)
			}
		}
		c.read(v) // after the last frame, so that no transition is missing
		for name, a := range v.routers {
			c.checkFrames(v, name, a)
		}
		c.checkAccusations(v)
	}
	for i, v := range c.victims {
		for _, other := range c.victims[i+1:] {
			for name := range v.routers {
				c.checkTogether(now, name, v, other)
			}
		}
	}
	var seen []happening // what was lost, for the list
	for name, probe := range c.probes {
		tally := probe.Stop()
		c.t.Logf("%s: %v", name, tally)
		for _, o := range tally.Outages {
			c.checkOutage(name, o)
			seen = append(seen, happening{at: o.From, what: fmt.Sprintf("    %s: %d lost in %v", name, o.Lost, o.Duration())})
		}
	}
	c.macs.check(c.t)
	c.history = append(c.history, seen...)
}

// checkOutage reports an outage that was too long for its cause, and one without a
// cause.
func (c *chaos) checkOutage(name string, o lab.Outage) {
	c.t.Helper()
	struck, harmed := 0, false
	for _, h := range c.history {
		if h.at.After(o.From.Add(-protocolBound)) && h.at.Before(o.To) {
			struck++
		}
		if h.at.After(o.From.Add(-time.Second)) && h.at.Before(o.To) {
			harmed = harmed || !h.harmless
		}
	}
	from := o.From.Format("15:04:05.000")
	if o.Duration() > time.Duration(max(1, struck))*protocolBound {
		c.t.Errorf("%s: away for %v from %s, after %d faults", name, o.Duration(), from, struck)
	}
	if !harmed {
		c.t.Errorf("%s: %d packets lost from %s, and nothing had happened that loses one", name, o.Lost, from)
	}
}

// checkTogether reports a time in which two directors were MASTER of one virtual
// router although they heard each other, for longer than an advert takes to end it.
// Transitions after now have not been read from every director.
func (c *chaos) checkTogether(now time.Time, name string, one, other *victim) {
	c.t.Helper()
	const enough = 2*fast + promptly
	for _, a := range one.routers[name].reigns {
		for _, b := range other.routers[name].reigns {
			both := span{from: later(a.from, b.from), to: earlier(now, earlier(a.to, b.to))}
			heard := both.from
			for _, deaf := range slices.Concat(one.routers[name].deaf, other.routers[name].deaf) {
				if deaf.from.Before(both.to) && deaf.to.After(heard) {
					heard = deaf.to
				}
			}
			if both.to.After(heard.Add(enough)) {
				c.t.Errorf("%s: %s and %s were both MASTER from %s for %v", name, one.host.Name, other.host.Name,
					both.from.Format("15:04:05.000"), both.to.Sub(both.from))
			}
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// elected reports whether a MASTER was being elected at a time. If the timers of two
// directors end together, the slower one already has its device up, and answers, when
// it hears that the other was quicker.
func (c *chaos) elected(name string, at time.Time) bool {
	return slices.ContainsFunc(c.victims, func(v *victim) bool {
		return slices.ContainsFunc(v.routers[name].reigns, func(s span) bool {
			return s.from.Sub(at).Abs() < promptly
		})
	})
}

// alone reports whether the director, before a time, had heard no MASTER for so long
// that it took over. It then has its device up, and answers, until it hears that the
// MASTER was only late.
func (a *account) alone(at time.Time) bool {
	until := at.Add(-promptly)
	return len(a.capture.Frames(func(f lab.Frame) bool {
		advert, ok := f.Advert()
		return ok && !f.FromHost && advert.VRID == a.vrid && f.Time.Before(until) && f.Time.After(until.Add(-3*fast))
	})) == 0
}

// checkFrames reports frames that only a MASTER may send and another director sent, and
// answers with another MAC address than the virtual one.
func (c *chaos) checkFrames(v *victim, name string, a *account) {
	c.t.Helper()
	mac := lab.VirtualMAC(a.vrid)
	frames, wrong := 0, 0
	for _, f := range a.capture.Frames(func(f lab.Frame) bool { return f.FromHost }) {
		arp, isARP := f.ARP()
		if isARP && arp.Sender.String() == a.address && arp.SenderMAC != mac {
			c.t.Errorf("%s: %s is at %v", v.host.Name, a.address, arp.SenderMAC)
		}
		if f.Source() != mac {
			continue
		}
		frames++
		if within(f.Time, a.reigns, promptly) || within(f.Time, v.dead, promptly) {
			continue
		}
		if isARP && !arp.Gratuitous() && (c.elected(name, f.Time) || a.alone(f.Time)) {
			continue
		}
		if wrong++; wrong <= 3 {
			c.t.Errorf("%s: %s spoke at %s and was not MASTER: % x", v.host.Name, name, f.Time.Format("15:04:05.000"), f.Bytes)
		}
	}
	if frames == 0 {
		c.t.Logf("%s was never MASTER of %s", v.host.Name, name)
	}
	if wrong > 3 {
		c.t.Errorf("%s: %s: %d such frames", v.host.Name, name, wrong)
	}
}
