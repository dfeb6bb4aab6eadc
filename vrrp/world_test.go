package vrrp

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// epoch is when every pretend world begins.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// A world is one or more pretend LANs with directors on them, in virtual time.
// Everything that happens comes out of one queue, and every choice out of one
// seeded source, so that equal seeds give equal runs. Adverts travel as bytes:
// the codec and the reception checks are part of the game.
//
// The world enforces what the package promises about the order of actions; it
// calls violate when a director breaks it.
type world struct {
	now     time.Duration // since epoch
	queue   happenings
	counted uint64
	halted  bool // time stands still: a promise was broken
	rng     *rand.Rand
	nodes   []*node

	// What the wires do to a frame.
	delayMin, delayMax time.Duration
	loss, duplicate    float64
	bfd                time.Duration // interval of the packets of BFD sessions; 0: there are none
	bfdLoss            float64       // of their packets alone
	reorder            bool          // also frames of one sender may overtake each other
	// What a claim, mute or release takes, and how often a claim fails.
	workMin, workMax time.Duration
	claimLoss        float64
	parts            float64 // of the claims of what nobody serves, how many tell of the first address

	sent uint64 // adverts

	log     func(n *node, member int, text string) // nil: nobody reads it
	moved   func()                                 // called when a device has changed
	accused func(n *node, member int)              // called when a MASTER is replaced because of its session; nil: nobody cares
	violate func(format string, args ...any)
}

func newWorld(seed uint64) *world {
	return &world{
		rng:      rand.New(rand.NewPCG(seed, 112)),
		delayMin: 100 * time.Microsecond, delayMax: 100 * time.Microsecond,
		workMin: 2 * time.Millisecond, workMax: 2 * time.Millisecond,
		moved: func() {},
	}
}

// A happening is something that is to happen.
type happening struct {
	at    time.Duration
	order uint64 // among those of one time
	do    func()
}

type happenings []happening

func (q happenings) Len() int { return len(q) }
func (q happenings) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q happenings) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *happenings) Push(x any)   { *q = append(*q, x.(happening)) }
func (q *happenings) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = happening{}
	*q = old[:len(old)-1]
	return last
}

// at lets do happen at a time that is not in the past.
func (w *world) at(t time.Duration, do func()) {
	w.counted++
	heap.Push(&w.queue, happening{max(t, w.now), w.counted, do})
}

// run lets everything happen that is due within d.
func (w *world) run(d time.Duration) {
	until := w.now + d
	for len(w.queue) > 0 && w.queue[0].at <= until && !w.halted {
		h := heap.Pop(&w.queue).(happening)
		w.now = h.at
		h.do()
	}
	if !w.halted {
		w.now = until
	}
}

// between draws a duration.
func (w *world) between(from, to time.Duration) time.Duration {
	if to <= from {
		return from
	}
	return from + time.Duration(w.rng.Int64N(int64(to-from)+1))
}

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
	deaf   bool // the switch forwards nothing to it
	dumb   bool // the switch forwards nothing from it
	bfdCut bool // a firewall drops the packets of BFD

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

// perform does what the machines want and watches the promised order.
func (n *node) perform(g *Group, actions []MemberAction) {
	for _, a := range actions {
		i := a.Member
		if i != WholeGroup {
			i = slices.IndexFunc(n.ports, func(p port) bool { return p.group == g && p.member == a.Member })
			n.act(i, a.Action)
		}
		if n.w.log != nil {
			n.w.log(n, i, a.String())
		}
	}
	n.arm()
}

func (n *node) act(member int, a Action) {
	p := &n.ports[member]
	broken := func(format string, args ...any) {
		n.w.violate("%s: %s", n.portName(member), fmt.Sprintf(format, args...))
	}
	switch a.Verb {
	case SendAdvert:
		if p.hold != held && !(p.hold == claiming && p.part) || p.device != up {
			broken("sends an advert without holding the addresses")
		}
		p.advertised = true
		n.transmit(member, a.Priority)
	case SendBackup:
		n.transmitBackup(member, a.Priority, a.Peer)
	case WantSession:
		n.want(member, a.Peer)
	case Announce:
		if p.hold != held && !(p.hold == claiming && p.part && a.First > 0) || p.device != up || !p.advertised {
			broken("announces the addresses before they are held and advertised")
		}
	case Claim:
		if p.hold == claiming {
			broken("claims twice")
		}
		if n.w.accused != nil && n.machine(member).fast.dead {
			n.w.accused(n, member)
		}
		if p.hold != held {
			p.hold, p.advertised, p.part = claiming, false, false
		}
		n.work(member, up)
		if a.Unserved && (p.claimsParts || n.w.parts > 0 && n.w.rng.Float64() < n.w.parts) {
			n.claimPart(member)
		}
	case Mute:
		if p.hold != held {
			broken("mutes what it does not hold")
		}
		p.hold = muted
		n.work(member, silent)
	case Release:
		if p.hold == nothing {
			broken("releases what it does not have")
		}
		p.hold = nothing
		n.work(member, down)
	case Transition:
		switch {
		case a.From == a.To:
			broken("tells a change from %v to itself", a.From)
		case a.To == Master && (p.hold != held || !p.advertised):
			broken("is MASTER before it holds and advertises the addresses")
		case a.To != Master && p.hold == held:
			broken("is %v and still speaks for the addresses", a.To)
		}
	case Stopped:
		if p.hold != nothing {
			broken("has stopped and still has the addresses")
		}
	}
}

// work does an order after those before it, and answers a claim.
func (n *node) work(member int, to device) {
	p := &n.ports[member]
	p.order++
	order, life := p.order, n.life
	p.freeAt = max(p.freeAt, n.w.now) + n.w.between(n.w.workMin, n.w.workMax)
	fails := p.claimFails || n.w.rng.Float64() < n.w.claimLoss
	n.w.at(p.freeAt, func() {
		if n.life != life {
			return
		}
		if to == up && fails {
			n.answer(member, life, order, ClaimFailed{Problem: "no device"})
			return
		}
		p.device = to
		n.w.moved()
		if to == up {
			n.answer(member, life, order, Claimed{})
		}
	})
}

// claimPart has the first address up shortly before a claim is done.
func (n *node) claimPart(member int) {
	p := &n.ports[member]
	order, life := p.order, n.life
	n.w.at(p.freeAt-n.w.workMin/2, func() {
		if n.life != life || p.order != order {
			return
		}
		p.device = up
		n.w.moved()
		n.answer(member, life, order, ClaimedPart{Addresses: 1})
	})
}

func (n *node) answer(member, life int, order uint64, ev Event) {
	n.whenAble(life, func() {
		p := &n.ports[member]
		if p.order != order {
			return
		}
		switch ev.(type) {
		case Claimed:
			p.hold = held
		case ClaimedPart:
			p.part = true
		}
		n.step(member, ev)
	})
}

// transmit puts an advert on the wire.
func (n *node) transmit(member int, priority uint8) {
	w := n.w
	w.sent++
	cfg := n.machine(member).Config()
	a := Advert{Version: cfg.Version, VRID: cfg.VRID, Priority: priority, Interval: cfg.Interval, Addresses: cfg.Addresses}
	n.spread(member, a, cfg.Family.MulticastGroup())
}

// spread puts a message on the wire.
func (n *node) spread(member int, a Advert, dst netip.Addr) {
	w, p := n.w, &n.ports[member]
	n.transmitAlso(member, a)
	payload := a.Append(nil, p.source, dst, n.machine(member).Config().Checksum)
	if p.cut || p.dumb {
		return
	}
	packet := Packet{p.source, dst, HopLimit, payload}
	for _, to := range w.nodes {
		for i := range to.ports {
			if to == n || to.ports[i].wire != p.wire || !dst.IsMulticast() && to.ports[i].source != dst {
				continue
			}
			if w.loss > 0 && w.rng.Float64() < w.loss {
				continue
			}
			to.receive(i, packet)
			if w.duplicate > 0 && w.rng.Float64() < w.duplicate {
				to.receive(i, packet)
			}
		}
	}
}

// receive lets a packet arrive after the wire's delay.
func (n *node) receive(member int, packet Packet) {
	p := &n.ports[member]
	if !n.on || p.cut || p.deaf {
		return
	}
	at := n.w.now + n.w.between(n.w.delayMin, n.w.delayMax)
	if !n.w.reorder {
		at = max(at, p.arrival[packet.Source])
	}
	p.arrival[packet.Source] = at
	life := n.life
	n.w.at(at, func() {
		if p := &n.ports[member]; !p.cut && !p.deaf {
			n.whenAble(life, func() { n.decode(member, 0, packet) })
		}
	})
}

// decode gives the machine what a packet holds that came by a path.
func (n *node) decode(member, path int, packet Packet) {
	paths := &n.ports[member].paths
	drop := Decode(packet, &n.advert)
	var from netip.Addr
	if drop == DropNone {
		from, drop = paths.Admit(path, packet, &n.advert)
	}
	if drop == DropNone {
		r := &Received{Advert: &n.advert, Source: from}
		if fresh, _ := paths.Hear(n.clock(), path, r); fresh {
			n.step(member, r)
		}
		return
	}
	key := dropped{packet.Source, drop}
	if !n.drops[key] && n.w.log != nil {
		n.drops[key] = true
		n.w.log(n, member, fmt.Sprintf("drops adverts of %v: %v", packet.Source, drop))
	}
}

// portName is the node's name, with the wire's if it is on several.
func (n *node) portName(member int) string {
	if member == WholeGroup || len(n.ports) == 1 {
		return n.name
	}
	return n.name + "/" + n.ports[member].wire
}
