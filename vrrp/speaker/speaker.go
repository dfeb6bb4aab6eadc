package speaker

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"holdfast/vrrp"
	"holdfast/vrrp/due"
)

// announcementsPerTurn bounds the announcement frames of one turn of the
// loop, so that adverts get between those of many addresses.
const announcementsPerTurn = 64

// Options are what a Speaker works with. None may be nil.
type Options struct {
	Port Port
	// Order hands over orders that follow from one wake-up, in order. It must
	// not block; the slice is the speaker's again when it returns.
	Order func([]Order)
	// Report tells of one change. It must not block.
	Report func(Report)
	Log    *slog.Logger
}

// A Speaker runs groups of virtual routers. Its methods may be called from
// any goroutine; what they ask for happens in the loop, and they return when
// it has happened or the loop has ended.
type Speaker struct {
	opts Options

	mu       sync.Mutex // guards the next two
	commands []func(now time.Time)
	ended    bool

	// What follows belongs to the loop.
	start        time.Time          // the beat of all groups
	groups       map[string]*group  // by the name of the group or the lone router
	routers      map[string]*router // by name
	byKey        map[key]*router
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
}

// Stray counts what came to an interface and was for none of our routers.
type Stray struct {
	Dropped     [vrrp.NumDrops]uint64
	UnknownVRID uint64 // well-formed, but of a virtual router that is not ours
}

// New returns a Speaker without groups. Run starts it.
func New(opts Options) *Speaker {
	return &Speaker{
		opts:         opts,
		start:        time.Now(),
		groups:       map[string]*group{},
		routers:      map[string]*router{},
		byKey:        map[key]*router{},
		stray:        map[int]*Stray{},
		sendFailures: map[int]SendFailure{},
		packets:      make([]Packet, 0, 64),
		frames:       make([]Frame, 0, 256),
	}
}

// Run is the loop. It returns when Quit was called, or with the port's error.
// The caller may lock it to a thread and give that a real-time priority.
func (s *Speaker) Run() error {
	for {
		packets, err := s.opts.Port.Receive(s.deadlines.Next(), s.packets[:0])
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
		s.flush()
		if s.runCommands(now) {
			return nil
		}
		s.flush()
	}
}

// flush sends the turn's frames, hands over its orders and makes its reports.
// Frames go first: an advert with priority 0 leaves before the device falls
// silent. Reports go last: what they tell has been ordered by then.
func (s *Speaker) flush() {
	if len(s.frames) > 0 {
		s.sent(s.opts.Port.Send(s.frames))
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

// A Silence says that an interface takes no frames.
type SendFailure struct {
	Since   time.Time
	Problem string
}

// sent logs when an interface begins to refuse frames and when that ends: it is no
// news at every advert.
func (s *Speaker) sent(errs []SendError) {
	if len(errs) == 0 && len(s.sendFailures) == 0 {
		return
	}
	for i := range s.frames {
		index := s.frames[i].IfIndex
		failure, failing := s.sendFailures[index]
		at := slices.IndexFunc(errs, func(r SendError) bool { return r.IfIndex == index })
		switch {
		case at >= 0 && !failing:
			s.sendFailures[index] = SendFailure{time.Now(), errs[at].Err.Error()}
			s.opts.Log.Warn("cannot send adverts", "err", errs[at].Err)
		case at < 0 && failing:
			delete(s.sendFailures, index)
			s.opts.Log.Info("adverts are sent again", "after", time.Since(failure.Since).Round(time.Millisecond), "problem", failure.Problem)
		}
	}
}

// --- hearing

// hear checks one packet and lets its router hear it.
func (s *Speaker) receive(now time.Time, p *Packet) {
	_, vrid, ok := vrrp.Peek(p.Payload)
	var r *router
	if ok {
		r = s.byKey[key{p.IfIndex, vrrp.FamilyOf(p.Source), vrid}]
	}
	if r == nil {
		s.countStray(p, ok)
		return
	}
	if drop := s.check(now, r, p); drop != vrrp.DropNone {
		s.dropped[drop]++
		r.drop(drop, p, s.opts.Log)
		s.reportProtocolError(now, r, drop)
		return
	}
	if s.advert.Interval != r.config().Interval {
		r.counters.IntervalDiffers++
	}
	if !r.config().SameAddresses(&s.advert) {
		r.mismatch(p, &s.advert, s.opts.Log)
	}
	s.received = vrrp.Received{Advert: &s.advert, Source: p.Source}
	s.perform(now, r.group, r.group.Step(now, r.member, &s.received))
}

func (s *Speaker) check(now time.Time, r *router, p *Packet) vrrp.Drop {
	if drop := vrrp.Decode(p.Packet, &s.advert); drop != vrrp.DropNone {
		return drop
	}
	drop := r.config().Admit(p.Packet, r.tx.Source, &s.advert)
	if drop == vrrp.DropNone && r.guard != nil {
		drop = r.guard.Check(now, p.Packet, p.Datagram)
	}
	return drop
}

// astray counts a packet that is for none of our routers.
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

// drop counts a discarded packet. The first of a kind is logged; a neighbour
// that is misconfigured would fill the disk otherwise.
func (r *router) drop(d vrrp.Drop, p *Packet, log *slog.Logger) {
	r.counters.Dropped[d]++
	if r.counters.Dropped[d] == 1 {
		log.Warn("advert dropped; further ones are only counted",
			"vrrp", r.config().Name, "reason", d.String(), "source", p.Source)
	}
}

// errorPause is how long a router's protocol errors of one kind are not told of
// again: a neighbour can make hundreds a second.
const errorPause = time.Minute

// told says of which protocol errors a router told since when.
type reportedErrors struct {
	since time.Time
	kinds uint32 // a bit for each vrrp.Drop
}

// tellError reports a protocol error, the first of its kind in a while.
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

func (r *router) mismatch(p *Packet, a *vrrp.Advert, log *slog.Logger) {
	r.counters.AddressMismatch++
	if r.counters.AddressMismatch == 1 {
		log.Warn("adverts list other addresses than ours; further ones are only counted",
			"vrrp", r.config().Name, "source", p.Source, "theirs", fmt.Sprint(a.Addresses))
	}
}

// --- time

// elapse lets every group whose deadline has come act.
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
			}
		}
		budget = s.announce(now, g, budget)
		s.schedule(g)
		if budget <= 0 {
			return // what is still due comes in the next turn, after the packets
		}
	}
}

// announce queues the announcement frames of a group that are due, at most
// budget of them, and returns what is left of the budget.
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

// --- acting

// perform does what the members want, and notes when they want to hear of the
// time again.
func (s *Speaker) perform(now time.Time, g *group, actions []vrrp.MemberAction) {
	s.actAll(now, g, actions)
	s.schedule(g)
}

// schedule notes when the group has to act next.
func (s *Speaker) schedule(g *group) { s.deadlines.Set(&g.timer, g.nextDeadline()) }

// actAll does what the members want, in order.
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
	case vrrp.Claim:
		s.order(r, a)
	case vrrp.Mute, vrrp.Release:
		r.burst.stop()
		s.order(r, a)
	case vrrp.Stopped:
		r.stopped = true
		s.report(now, r, a)
	default:
		s.report(now, r, a)
	}
}

// order numbers an order. An answer to an older one is not heeded: what it
// told has been overtaken.
func (s *Speaker) order(r *router, a *vrrp.MemberAction) {
	s.seq++
	r.seq = s.seq
	s.orders = append(s.orders, Order{Router: r.config().Name, Verb: a.Verb, Unserved: a.Unserved, Seq: s.seq})
}

// frames returns how many announcements go with the first addresses.
func (v *TxConfig) frames(addresses int) int {
	if n := min(addresses, len(v.Ends)); n > 0 {
		return v.Ends[n-1]
	}
	return 0
}

func (s *Speaker) report(now time.Time, r *router, a *vrrp.MemberAction) {
	s.reports = append(s.reports, Report{
		At: now, Group: r.group.name, Router: r.config().Name, Verb: a.Verb,
		From: a.From, To: a.To, Priority: a.Priority, OldPriority: a.OldPriority, Why: a.Why, Peer: a.Peer, Takeover: a.Takeover,
	})
}
