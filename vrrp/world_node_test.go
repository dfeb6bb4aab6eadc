package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// A device is what the kernel of a director has for one virtual router.
type device uint8

const (
	down   device = iota
	up            // has the addresses and speaks for them
	silent        // has the addresses, does not speak for them
)

// A port is a member's place on a wire.
type port struct {
	wire   string
	source netip.Addr
	group  *Group // of the node's, and its member there; nil: not running yet
	member int
	cut    bool // the switch forwards nothing to and from it
	also   *branch
	paths  Paths
	deaf   bool    // the switch forwards nothing to it
	dumb   bool    // the switch forwards nothing from it
	bfdCut bool    // a firewall drops the packets of BFD
	early  []Event // what its machine hears before it starts

	device     device
	claimFails bool
	// claimsParts reports the first address before all are up.
	claimsParts bool
	part        bool                         // the running claim has told of it
	arrival     map[netip.Addr]time.Duration // of the last frame, by sender

	// The promised order: what was asked for, and what was answered.
	hold       hold
	advertised bool   // since the claim
	order      uint64 // the latest; answers to older ones are not heeded
	freeAt     time.Duration
}

// A node is a director.
type node struct {
	w     *world
	name  string
	cfgs  []Config
	ports []port
	// groups are one of all ports, but after a regroup.
	groups []*Group

	drift  int64 // how much its clock is fast, in millionths
	beat   bool  // its members keep time with the start of the daemon
	on     bool  // the machine has power and the daemon runs
	paused bool  // the daemon is stopped, its kernel goes on
	life   int   // counts restarts; what belongs to an earlier life is void
	inbox  []func()

	sessions map[sessionKey]*session

	wakeAt  time.Duration // the pending timer, if any
	pending bool
	timer   uint64

	drops  map[dropped]bool // already told
	advert Advert
}

type dropped struct {
	source netip.Addr
	why    Drop
}

// add puts a director on wires, one a configuration, at the given addresses.
func (w *world) add(name string, cfgs []Config, wires []string, sources []netip.Addr) *node {
	n := &node{w: w, name: name, cfgs: cfgs, drops: map[dropped]bool{}}
	for i := range cfgs {
		n.ports = append(n.ports, port{wire: wires[i], source: sources[i], arrival: map[netip.Addr]time.Duration{}})
	}
	w.nodes = append(w.nodes, n)
	return n
}

// clock returns the node's own time.
func (n *node) clock() time.Time { return epoch.Add(n.local(n.w.now)) }

func (n *node) local(t time.Duration) time.Duration {
	const million = 1_000_000
	g := int64(t)
	return time.Duration(g + g/million*n.drift + g%million*n.drift/million)
}

// global returns the first time at which the node's clock shows local.
func (n *node) global(local time.Duration) time.Duration {
	g := time.Duration(float64(local) / (1 + float64(n.drift)/1e6))
	for n.local(g) < local {
		g++
	}
	for g > 0 && n.local(g-1) >= local {
		g--
	}
	return g
}

// start boots the daemon.
func (n *node) start() {
	for i := range n.ports {
		n.ports[i].device, n.ports[i].hold = down, nothing
	}
	n.startWith(func(int) Event { return Start{} })
}

// startWith starts a daemon; first is each member's first event.
func (n *node) startWith(first func(i int) Event) {
	n.on, n.paused = true, false
	n.life++
	n.pending = false
	n.inbox = nil
	for i := range n.ports {
		n.ports[i].freeAt = 0
		n.ports[i].order++
	}
	n.groups = nil
	all := make([]int, len(n.ports))
	for i := range n.ports {
		n.ports[i].group = nil
		all[i] = i
	}
	n.form(all, first)
}

// form makes a group of ports, with the machines that run there or new ones.
func (n *node) form(ports []int, first func(i int) Event) {
	name := ""
	if len(ports) > 1 {
		name = n.name
	}
	machines := make([]*Machine, len(ports))
	var former *Group
	var fresh []int
	for member, i := range ports {
		p := &n.ports[i]
		if p.group == nil {
			machines[member] = NewMachine(n.cfgs[i])
			p.paths = Paths{}
			n.layOut(i)
			fresh = append(fresh, i)
			continue
		}
		machines[member] = p.group.Member(p.member)
		if p.group.Name() == name {
			former = p.group
		}
	}
	g := Regroup(name, former, machines...)
	for member, i := range ports {
		n.ports[i].group, n.ports[i].member = g, member
	}
	n.groups = append(n.groups, g)
	if n.beat {
		g.SetPhase(n.clock())
	}
	n.perform(g, g.Settle(n.clock()))
	for _, i := range fresh {
		n.step(i, Primary{n.ports[i].source})
		for _, ev := range n.ports[i].early {
			n.step(i, ev)
		}
	}
	for _, i := range fresh {
		n.step(i, first(i))
	}
}

// regroup makes groups anew, as a reload does; ports in none of them leave.
func (n *node) regroup(groups ...[]int) {
	for i := range n.ports {
		if !slices.ContainsFunc(groups, func(g []int) bool { return slices.Contains(g, i) }) {
			n.step(i, Leave{})
			groups = append(groups, []int{i})
		}
	}
	n.groups = nil
	for _, g := range groups {
		n.form(g, func(int) Event { return Start{} })
	}
}

// machine is what runs on a port.
func (n *node) machine(i int) *Machine { return n.ports[i].group.Member(n.ports[i].member) }

// state is that of the group of all ports.
func (n *node) state() State { return n.groups[0].State() }

// deadline is the earliest of all groups.
func (n *node) deadline() time.Time {
	var d time.Time
	for _, g := range n.groups {
		d = earliest(d, g.Deadline())
	}
	return d
}

// crash ends the daemon and leaves the kernel as it is.
func (n *node) crash() {
	n.on = false
	n.life++
}

// restart starts the daemon after a crash.
func (n *node) restart() {
	n.startWith(func(i int) Event {
		if n.ports[i].device == down {
			return Start{}
		}
		return StartHolding{}
	})
}

// upgrade replaces the daemon by one that goes on where it was.
func (n *node) upgrade() {
	was := make([]Resume, len(n.ports))
	for i := range n.ports {
		was[i] = n.machine(i).Resume()
	}
	n.startWith(func(i int) Event { return was[i] })
}

// kill takes the power away.
func (n *node) kill() {
	n.on = false
	n.life++
	for i := range n.ports {
		n.ports[i].device = down
		n.ports[i].hold = nothing
	}
	n.w.moved()
}

// pause stops the daemon as SIGSTOP does; frames wait in its socket.
func (n *node) pause() { n.paused = true }

func (n *node) resume() {
	if !n.paused {
		return
	}
	n.paused = false
	inbox := n.inbox
	n.inbox = nil
	for _, do := range inbox {
		do()
	}
	n.elapse()
}

// whenAble lets do happen now, or when the daemon runs again.
func (n *node) whenAble(life int, do func()) {
	switch {
	case n.life != life || !n.on:
	case n.paused:
		n.inbox = append(n.inbox, do)
	default:
		do()
	}
}

func (n *node) step(i int, ev Event) {
	p := &n.ports[i]
	n.perform(p.group, p.group.Step(n.clock(), p.member, ev))
	if _, ok := ev.(Reconfigure); ok {
		n.layOut(i)
	}
}

func (n *node) stepAll(ev Event) {
	for i := range n.ports {
		n.step(i, ev)
	}
}

func (n *node) elapse() {
	for _, g := range n.groups {
		n.perform(g, g.Elapse(n.clock()))
	}
}

// arm sets the timer to the group's deadline. A timer that is set too early
// is left alone and looks again when it fires.
func (n *node) arm() {
	d := n.deadline()
	if d.IsZero() {
		return
	}
	at := max(n.global(d.Sub(epoch)), n.w.now)
	if n.pending && n.wakeAt <= at {
		return
	}
	n.timer++
	n.pending, n.wakeAt = true, at
	timer, life := n.timer, n.life
	n.w.at(at, func() {
		if n.life != life || n.timer != timer {
			return
		}
		n.pending = false
		if n.paused {
			return // resume looks
		}
		if due(n.deadline(), n.clock()) {
			n.elapse()
		} else {
			n.arm()
		}
	})
}

// portName is the node's name, with the wire's if it is on several.
func (n *node) portName(member int) string {
	if member == WholeGroup || len(n.ports) == 1 {
		return n.name
	}
	return n.name + "/" + n.ports[member].wire
}
