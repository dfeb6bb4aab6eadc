package vrrp

import (
	"net/netip"
	"slices"
	"time"
)

// Paths receives the adverts for one virtual router by all its paths. It says who sent
// an advert, which adverts are copies of one that came by another path, and which
// paths are silent. A router with a single path has a Paths too, of which all adverts
// are fresh. The zero Paths has no path; Configure gives it some.
type Paths struct {
	on    []Config     // path by path
	own   []netip.Addr // our source addresses; invalid where a path has none
	names []string     // of the paths; the first has none

	heard  []PathHeard
	places []place  // where other routers are on further paths, at most maxPlaces
	next   int      // the place that is given to the next one when there are as many
	latest struct { // the advert that was fresh last
		number   uint64
		path     int
		from     netip.Addr
		priority uint8
		at       time.Time
	}
	master struct { // the router that is heard as MASTER without a gap
		from  netip.Addr
		since time.Time
		last  time.Time
	}
}

// PathHeard is what was received by one path.
type PathHeard struct {
	Received  uint64 // adverts that passed every check, copies included
	Copies    uint64 // of these, adverts that another path had brought already
	LastHeard time.Time
	// Silent is set while the MASTER is heard by another path only, and Since is when
	// its last advert came by this one. It is not known of a MASTER, which hears nobody.
	Silent bool
	Since  time.Time
	// Crossed is when an advert came last that was sent on another path, by us or by
	// another router. The zero time means never. Otherwise the two paths are one LAN, or
	// cables are crossed.
	Crossed time.Time

	copied uint64    // the number of the fresh advert that it brought a copy of last
	last   time.Time // the last advert of the present MASTER
	streak int       // adverts of the present MASTER since the path was silent
	added  bool      // the path is new, and no advert has come by any path since
}

// maxPlaces bounds how many addresses of other routers are known.
const maxPlaces = 16

// A place is the address that a router has on a further path.
type place struct {
	path   string
	router netip.Addr // by its address on the first path
	at     netip.Addr
}

// Locate notes from which address a router sends on a path. It reports whether that is
// news.
func (ps *Paths) Locate(path int, router, at netip.Addr) (news bool) {
	if path == 0 {
		return false
	}
	for i := range ps.places {
		if p := &ps.places[i]; p.path == ps.names[path] && p.router == router {
			news, p.at = p.at != at, at
			return news
		}
	}
	p := place{ps.names[path], router, at}
	if len(ps.places) < maxPlaces {
		ps.places = append(ps.places, p)
		return true
	}
	ps.places[ps.next] = p
	ps.next = (ps.next + 1) % maxPlaces
	return true
}

// Address returns the address that a router has on a path. It is not valid while nothing
// has come from it there.
func (ps *Paths) Address(path int, router netip.Addr) netip.Addr {
	if path == 0 {
		return router
	}
	for i := range ps.places {
		if p := &ps.places[i]; p.path == ps.names[path] && p.router == router {
			return p.at
		}
	}
	return netip.Addr{}
}

// Configure takes over a configuration and our own source addresses, path by path.
// What was heard by a path of the same name is kept.
func (ps *Paths) Configure(c *Config, own []netip.Addr) {
	names := ps.names
	ps.on, ps.own, ps.names = make([]Config, len(own)), own, make([]string, len(own))
	heard := make([]PathHeard, len(own))
	for i := range ps.on {
		ps.on[i] = c.OnPath(i)
		if i > 0 {
			ps.names[i] = c.Paths[i-1].Name
		}
		if j := slices.Index(names, ps.names[i]); j >= 0 {
			heard[i] = ps.heard[j]
		} else {
			heard[i].added = true
		}
	}
	ps.heard = heard
}

// On returns the configuration as it is on a path.
func (ps *Paths) On(path int) *Config { return &ps.on[path] }

// Heard returns what was received, path by path. The caller must not change it.
func (ps *Paths) Heard() []PathHeard { return ps.heard }

// Admit makes the checks of Config.Admit for an advert that came by a path. It returns
// the router that sent the advert, by its address on its first path.
//
// An advert without Origin was sent on the first path. It is the same advert on a path
// on which it arrives because both are one LAN, or because cables are crossed.
func (ps *Paths) Admit(path int, p Packet, a *Advert) (from netip.Addr, drop Drop) {
	if at := slices.Index(ps.own, p.Source); at >= 0 && at != path || a.Origin.IsValid() && a.Origin == ps.own[0] {
		return p.Source, DropOwnPath
	}
	if drop := ps.on[path].Admit(p, ps.own[path], a); drop != DropNone {
		return p.Source, drop
	}
	switch from := a.Origin; {
	case !from.IsValid():
		return p.Source, DropNone
	case FamilyOf(from) != ps.on[0].Family:
		return from, DropVRID
	case ps.on[0].peer(from) == nil:
		return from, DropPeer
	default:
		return from, DropNone
	}
}

// CopyWindow bounds how much later than by another path an advert may arrive and count as
// a copy. All paths are given an advert in one moment.
const CopyWindow = 50 * time.Millisecond

// Hear notes an advert that passed every check. It is fresh unless it is a copy of one
// that another path brought: only fresh adverts are for the machine, to which a copy
// would be a second advert of a rival. changed reports whether a path fell silent, is
// heard again, or is crossed.
func (ps *Paths) Hear(now time.Time, path int, r *Received) (fresh, changed bool) {
	h := &ps.heard[path]
	h.Received++
	h.LastHeard = now
	if len(ps.heard) == 1 {
		return true, false
	}
	if r.Advert.Origin.IsValid() != (path > 0) {
		changed = ps.Cross(now, path)
	}
	changed = ps.listen(now, h, r) || changed
	l := &ps.latest
	if l.path != path && h.copied != l.number && l.from == r.Source && l.priority == r.Advert.Priority &&
		now.Sub(l.at) < min(CopyWindow, r.Advert.Interval/2) {
		h.copied = l.number
		h.Copies++
		return false, changed
	}
	l.number++
	l.path, l.from, l.priority, l.at = path, r.Source, r.Advert.Priority, now
	return true, changed
}

// crossedFor is how long a path counts as crossed after the last such advert.
const crossedFor = time.Minute

// Cross notes that an advert came by a path that was sent on another. It reports whether
// that is news.
func (ps *Paths) Cross(now time.Time, path int) bool {
	h := &ps.heard[path]
	news := !h.IsCrossed(now)
	h.Crossed = now
	return news
}

// IsCrossed reports whether adverts of another path came by this one lately.
func (h *PathHeard) IsCrossed(now time.Time) bool {
	return !h.Crossed.IsZero() && now.Sub(h.Crossed) < crossedFor
}

// listen updates which paths are silent: those by which nothing came from the MASTER
// for as long as would make it dead, while others brought its adverts.
func (ps *Paths) listen(now time.Time, h *PathHeard, r *Received) (changed bool) {
	if r.Advert.Priority == PriorityStop {
		return false
	}
	gap := ps.on[0].missed(r.Advert.Interval, 0)
	m := &ps.master
	if m.from != r.Source || now.Sub(m.last) > gap {
		m.from, m.since = r.Source, now
		for i := range ps.heard {
			ps.heard[i].last, ps.heard[i].streak = time.Time{}, 0
		}
	}
	m.last = now
	if now.Sub(h.last) > gap {
		h.streak = 0
	}
	h.streak++
	h.last = now
	if h.Silent && h.streak > ps.on[0].downAfter() { // a path that loses most adverts stays silent
		h.Silent = false
		changed = true
	}
	for i := range ps.heard {
		o := &ps.heard[i]
		if o.added { // it cannot have been silent before
			o.added, o.last = false, now
		}
		since := o.last
		if since.Before(m.since) {
			since = m.since
		}
		if !o.Silent && now.Sub(since) > gap+r.Advert.Interval/2 {
			o.Silent, o.Since, o.streak = true, since, 0
			changed = true
		}
	}
	return changed
}

// Master is called when the router has become MASTER: it hears no other, and so knows
// no more which paths are silent. It reports whether one was.
func (ps *Paths) Master() (changed bool) {
	for i := range ps.heard {
		changed = changed || ps.heard[i].Silent
		ps.heard[i].Silent = false
	}
	ps.master.from = netip.Addr{}
	return changed
}
