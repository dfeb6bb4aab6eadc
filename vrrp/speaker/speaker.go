package speaker

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/vrrp"
	"holdfast/vrrp/due"
	"holdfast/vrrp/histogram"
)

// announcementsPerTurn bounds the announcement frames that one turn of the
// loop sends, so that adverts are not delayed by many addresses.
const announcementsPerTurn = 64

// Options are what a Speaker needs. Every field but Companion is required.
type Options struct {
	Port Port
	// Order receives the orders of one wake-up, in order. It must not block, and
	// must not keep the slice. The loop calls it.
	Order func([]Order)
	// Report receives one change. It must not block. The loop calls it.
	Report func(Report)
	Log    *slog.Logger
	// Companion has its turn in every turn of the loop. nil: there is none.
	Companion Companion
}

// A Speaker runs groups of virtual routers. Its methods may be called from
// any goroutine, but not from Options.Order or Options.Report. They are
// carried out by the loop, and return when that is done or the loop has
// ended.
type Speaker struct {
	opts Options

	mu       sync.Mutex // guards the next two
	commands []func(now time.Time)
	ended    bool

	copied atomic.Pointer[sizes] // by the last Snapshot; nil: there was none

	// The fields below belong to the loop.
	start        time.Time          // the beat of all groups
	groups       map[string]*group  // by the name of the group or the lone router
	routers      map[string]*router // by name
	byKey        map[key]place
	deadlines    due.Queue[*group]
	stray        map[int]*Stray        // what no router could be found for, by interface
	dropped      [vrrp.NumDrops]uint64 // all, by routers that are gone too
	advert       vrrp.Advert
	received     vrrp.Received
	packets      []Packet
	frames       []Frame
	message      []byte // a message that is being made
	arena        []byte // the frames of this turn that are made for it alone
	orders       []Order
	reports      []Report
	seq          uint64
	sendFailures map[int]SendFailure // of interfaces that refused the last frames, or some of them
	lateness     histogram.Histogram // of the adverts of all routers
	refusedSince time.Time           // since when no interface has taken a frame; zero: one has
	sessions     map[sessionKey]bool // the BFD sessions that are up
	fallen       map[sessionKey]bool // those whose other end was not heard since they went down
}

// Stray counts packets on an interface that are for none of our routers.
type Stray struct {
	Dropped     [vrrp.NumDrops]uint64
	UnknownVRID uint64 // well-formed adverts of virtual routers that are not ours
}

// New returns a Speaker without groups. Run starts it.
func New(opts Options) *Speaker {
	return &Speaker{
		opts:         opts,
		start:        time.Now(),
		groups:       map[string]*group{},
		routers:      map[string]*router{},
		byKey:        map[key]place{},
		stray:        map[int]*Stray{},
		sendFailures: map[int]SendFailure{},
		sessions:     map[sessionKey]bool{},
		fallen:       map[sessionKey]bool{},
		packets:      make([]Packet, 0, 64),
		frames:       make([]Frame, 0, 256),
	}
}

// Run is the loop. It returns nil after Quit, or the port's error. For
// adverts that are in time on a busy machine, the caller can lock Run's
// goroutine to a thread with real-time priority.
func (s *Speaker) Run() error {
	for {
		packets, err := s.opts.Port.Receive(s.deadline(), s.packets[:0])
		if err != nil {
			s.end()
			return fmt.Errorf("receive adverts: %w", err)
		}
		s.packets = packets[:0]
		now := time.Now()
		for i := range packets {
			s.receive(now, &packets[i])
		}
		s.elapse(now)
		s.flush(now)
		if c := s.opts.Companion; c != nil {
			c.Turn()
		}
		if s.runCommands(now) {
			return nil
		}
		s.flush(now)
	}
}

// deadline returns when the loop must have its next turn. The zero time means
// never.
func (s *Speaker) deadline() time.Time {
	next := s.deadlines.Next()
	if c := s.opts.Companion; c != nil {
		next = earliest(next, c.Deadline())
	}
	return next
}

// flush sends the frames of this turn, then hands over its orders, then its
// reports. An advert with priority 0 thus leaves before the device is muted,
// and a report comes after everything that it stands for was ordered.
func (s *Speaker) flush(now time.Time) {
	if len(s.frames) > 0 {
		errs := s.opts.Port.Send(s.frames)
		s.noteRefused(now, errs)
		s.sent(now, errs)
		s.frames, s.arena = s.frames[:0], s.arena[:0]
	}
	if len(s.orders) > 0 {
		s.opts.Order(s.orders)
		s.orders = s.orders[:0]
	}
	for _, r := range s.reports {
		s.opts.Report(r)
	}
	s.reports = s.reports[:0]
}

// A SendFailure says that the kernel refuses to send on an interface.
type SendFailure struct {
	Since   time.Time
	Problem string
}

// sent logs when sending on an interface begins to fail and when it works
// again, but not every advert in between.
func (s *Speaker) sent(now time.Time, errs []SendError) {
	if len(errs) == 0 && len(s.sendFailures) == 0 {
		return
	}
	for i := range s.frames {
		index := s.frames[i].IfIndex
		failure, failing := s.sendFailures[index]
		at := slices.IndexFunc(errs, func(r SendError) bool { return r.IfIndex == index })
		switch {
		case at >= 0 && !failing:
			s.sendFailures[index] = SendFailure{now, errs[at].Err.Error()}
			s.opts.Log.Warn("cannot send adverts", "err", errs[at].Err)
		case at < 0 && failing:
			delete(s.sendFailures, index)
			s.opts.Log.Info("adverts are sent again", "after", now.Sub(failure.Since).Round(time.Millisecond), "err", failure.Problem)
		}
	}
}

// receive checks one packet and passes it to its router.
func (s *Speaker) receive(now time.Time, p *Packet) {
	_, vrid, ok := vrrp.Peek(p.Payload)
	var to place
	if ok {
		to = s.byKey[key{p.IfIndex, vrrp.FamilyOf(p.Source), vrid}]
	}
	r := to.router
	if r == nil {
		s.countStray(p, ok)
		return
	}
	from, drop := s.check(now, to, p)
	if drop != vrrp.DropNone {
		s.drop(now, to, p, drop)
		return
	}
	s.noteAlive(now, r, from)
	s.received = vrrp.Received{Advert: &s.advert, Source: from}
	if s.advert.Backup {
		s.perform(now, r.group, r.group.Step(now, r.member, &s.received))
		return
	}
	if r.refused.accept(now, p.Source) {
		s.reviewRefused(now, r)
	}
	fresh, changed := r.paths.Hear(now, to.path, &s.received)
	if changed {
		s.reportPaths(now, r)
	}
	if !fresh {
		return
	}
	if s.advert.Interval != r.config().Interval {
		r.counters.IntervalDiffers++
	}
	if !r.config().SameAddresses(&s.advert) {
		r.mismatch(p, &s.advert, s.opts.Log)
	}
	s.perform(now, r.group, r.group.Step(now, r.member, &s.received))
}

// drop takes note of a packet that failed a check.
func (s *Speaker) drop(now time.Time, to place, p *Packet, why vrrp.Drop) {
	r := to.router
	s.dropped[why]++
	r.wires[to.path].dropped[why]++
	if why == vrrp.DropOwnPath && r.paths.Cross(now, to.path) {
		s.reportPaths(now, r)
	}
	r.drop(why, p, s.opts.Log)
	s.reportProtocolError(now, r, why)
	s.refuse(now, r, p, why)
}

// check decodes a packet into s.advert and makes all checks. It returns the router that
// sent the packet, by its address on its first path.
func (s *Speaker) check(now time.Time, to place, p *Packet) (netip.Addr, vrrp.Drop) {
	if drop := vrrp.Decode(p.Packet, &s.advert); drop != vrrp.DropNone {
		return p.Source, drop
	}
	from, drop := to.router.paths.Admit(to.path, p.Packet, &s.advert)
	if g := to.router.wires[to.path].guard; drop == vrrp.DropNone && g != nil {
		drop = g.Check(now, p.Packet, p.Datagram)
	}
	return from, drop
}

// countStray counts a packet that is for none of our routers.
func (s *Speaker) countStray(p *Packet, decodable bool) {
	st := s.stray[p.IfIndex]
	if st == nil {
		st = &Stray{}
		s.stray[p.IfIndex] = st
	}
	drop := vrrp.DropLength
	if decodable {
		drop = vrrp.Decode(p.Packet, &s.advert)
	}
	if drop == vrrp.DropNone {
		st.UnknownVRID++
		return
	}
	st.Dropped[drop]++
	s.dropped[drop]++
}

// drop counts a refused packet. Only the first one for each reason is logged:
// a misconfigured neighbour would fill the disk otherwise.
func (r *router) drop(d vrrp.Drop, p *Packet, log *slog.Logger) {
	r.counters.Dropped[d]++
	if r.counters.Dropped[d] == 1 {
		log.Warn("advert dropped; further ones are only counted",
			"vrrp", r.config().Name, "reason", d.String(), "source", p.Source)
	}
}

// errorPause is how long a further protocol error of the same kind is not
// reported: a neighbour can cause hundreds a second.
const errorPause = time.Minute

// reportedErrors notes which protocol errors a router reported since a time.
type reportedErrors struct {
	since time.Time
	kinds uint32 // a bit for each vrrp.Drop
}

// reportProtocolError reports a protocol error unless the same kind was
// reported less than errorPause ago.
func (s *Speaker) reportProtocolError(now time.Time, r *router, d vrrp.Drop) {
	if !d.ProtocolError() {
		return
	}
	r.counters.LastError = d
	if now.Sub(r.reported.since) >= errorPause {
		r.reported = reportedErrors{since: now}
	}
	if bit := uint32(1) << d; r.reported.kinds&bit == 0 {
		r.reported.kinds |= bit
		s.reports = append(s.reports, Report{At: now, Group: r.group.name, Router: r.config().Name, Drop: d})
	}
}

// mismatch counts an advert with other addresses than ours, and logs the
// first.
func (r *router) mismatch(p *Packet, a *vrrp.Advert, log *slog.Logger) {
	r.counters.AddressMismatch++
	if r.counters.AddressMismatch == 1 {
		log.Warn("adverts list other addresses than ours; further ones are only counted",
			"vrrp", r.config().Name, "source", p.Source, "theirs", fmt.Sprint(a.Addresses))
	}
}

// elapse lets every group act whose deadline has passed.
func (s *Speaker) elapse(now time.Time) {
	budget := announcementsPerTurn
	for item := s.deadlines.Due(now); item != nil; item = s.deadlines.Due(now) {
		g := item.Value
		before := len(s.frames)
		late := now.Sub(item.At())
		s.actAll(now, g, g.Elapse(now))
		if len(s.frames) > before {
			for _, r := range g.routers {
				r.late(late)
				s.lateness.Observe(late)
			}
		}
		for _, r := range g.routers {
			if reached(r.refused.next, now) {
				s.reviewRefused(now, r)
			}
		}
		budget = s.announce(now, g, budget)
		s.schedule(g)
		if budget <= 0 {
			return // the next turn goes on, after it has received packets
		}
	}
}

// announce queues at most budget announcement frames of a group that are due.
// It returns what is left of the budget.
func (s *Speaker) announce(now time.Time, g *group, budget int) int {
	for _, r := range g.routers {
		r.burst.wind(now, r.announce)
		for budget > 0 {
			i := r.burst.take(now, len(r.tx.Announcements))
			if i < 0 {
				break
			}
			s.frames = append(s.frames, r.tx.Announcements[i])
			r.counters.Announced++
			budget--
		}
	}
	return budget
}

// perform carries out actions and notes the group's next deadline.
func (s *Speaker) perform(now time.Time, g *group, actions []vrrp.MemberAction) {
	s.actAll(now, g, actions)
	s.schedule(g)
}

// schedule notes when the group has to act next.
func (s *Speaker) schedule(g *group) { s.deadlines.Set(&g.timer, g.nextDeadline()) }

// actAll carries out actions in order.
func (s *Speaker) actAll(now time.Time, g *group, actions []vrrp.MemberAction) {
	for i := range actions {
		a := &actions[i]
		if a.Member == vrrp.WholeGroup {
			s.reports = append(s.reports, Report{At: now, Group: g.name, Verb: a.Verb, From: a.From, To: a.To, Why: a.Why})
			continue
		}
		s.act(now, g.routers[a.Member], a)
	}
}

func (s *Speaker) act(now time.Time, r *router, a *vrrp.MemberAction) {
	switch a.Verb {
	case vrrp.SendAdvert:
		s.queueAdvert(now, r, a.Priority)
	case vrrp.Announce:
		if a.First > 0 {
			r.burst.part(now, r.announce, r.tx.frames(a.First))
			return
		}
		r.burst.begin(now, r.announce)
	case vrrp.SendBackup:
		s.queueBackup(now, r, a)
	case vrrp.WantSession:
		s.wantSession(now, r, a)
	case vrrp.Claim:
		s.order(r, a)
	case vrrp.Mute, vrrp.Release:
		r.burst.stop()
		s.order(r, a)
	case vrrp.Stopped:
		r.stopped = true
		s.report(now, r, a)
	case vrrp.Transition:
		s.report(now, r, a)
		s.reviewRefused(now, r)
		if a.To == vrrp.Master && r.paths.Master() {
			s.reportPaths(now, r)
		}
	default:
		s.report(now, r, a)
	}
}

// order queues an order and numbers it. An answer to an older order of the
// router is ignored.
func (s *Speaker) order(r *router, a *vrrp.MemberAction) {
	s.seq++
	r.seq = s.seq
	s.orders = append(s.orders, Order{Router: r.config().Name, Verb: a.Verb, Unserved: a.Unserved, Lost: a.Lost, Planned: a.Planned, Seq: s.seq})
}

// frames returns how many of the Announcements belong to the first addresses.
func (v *TxConfig) frames(addresses int) int {
	if n := min(addresses, len(v.Ends)); n > 0 {
		return v.Ends[n-1]
	}
	return 0
}

// reportPaths reports that a path fell silent, is heard again, or is crossed.
func (s *Speaker) reportPaths(now time.Time, r *router) {
	s.reports = append(s.reports, Report{At: now, Group: r.group.name, Router: r.config().Name, Verb: vrrp.PathChanged})
}

func (s *Speaker) report(now time.Time, r *router, a *vrrp.MemberAction) {
	s.reports = append(s.reports, Report{
		At: now, Group: r.group.name, Router: r.config().Name, Verb: a.Verb,
		From: a.From, To: a.To, Priority: a.Priority, OldPriority: a.OldPriority, Why: a.Why, Peer: a.Peer, Takeover: a.Takeover, Armed: a.Armed,
	})
}
