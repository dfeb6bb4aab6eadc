package speaker

import (
	"maps"
	"time"

	"holdfast/vrrp"
	"holdfast/vrrp/histogram"
)

// Snapshot is the state of all routers at one moment.
type Snapshot struct {
	At      time.Time
	Routers map[string]*Status
	Groups  map[string]GroupStatus
	Stray   map[int]Stray // by interface index
	// Dropped counts the refused packets of all routers, of removed ones too, and
	// those for no router, since the speaker was made.
	Dropped [vrrp.NumDrops]uint64
	// Lateness counts by how much the adverts were sent after they were due, since
	// the speaker was made.
	Lateness *histogram.Snapshot
}

// GroupStatus is the state of a group.
type GroupStatus struct {
	State   vrrp.State
	Since   time.Time
	Members []string
}

// Router returns the state of a router, the zero Status if there is none.
func (s *Snapshot) Router(name string) *Status {
	if st := s.Routers[name]; st != nil {
		return st
	}
	return &Status{}
}

// A copying is the memory into which the loop copies. With a thousand routers it is some
// 2 MB. It is made before the loop is asked, because whoever allocates that much while
// garbage is collected must help with that (runtime.gcAssistAlloc), and adverts would wait.
type copying struct {
	sizes
	at       time.Time
	statuses []Status
	paths    []PathStatus
	names    []string // of groups
	states   []GroupStatus
	members  []string
	stray    map[int]Stray
	dropped  [vrrp.NumDrops]uint64
	lateness *histogram.Snapshot
}

// sizes are the numbers of what is copied.
type sizes struct{ routers, wires, groups int }

// Snapshot returns the state of all routers.
func (s *Speaker) Snapshot() (Snapshot, error) {
	c := newCopying(s.copied.Load())
	if err := s.do(func(now time.Time) { c.copy(now, s) }); err != nil {
		return Snapshot{}, err
	}
	s.copied.Store(&sizes{len(c.statuses), len(c.paths), len(c.names)})
	return c.snapshot(), nil
}

// newCopying returns memory for as much as was copied the last time. The loop makes
// more if that is not enough.
func newCopying(last *sizes) *copying {
	c := &copying{}
	if last != nil {
		c.sizes = *last
	}
	c.statuses, c.paths = make([]Status, 0, c.routers), make([]PathStatus, 0, c.wires)
	c.names, c.states, c.members = make([]string, 0, c.groups), make([]GroupStatus, 0, c.groups), make([]string, 0, c.routers)
	return c
}

// copy copies the state of a speaker. The loop calls it.
func (c *copying) copy(now time.Time, s *Speaker) {
	c.at, c.dropped, c.lateness = now, s.dropped, s.lateness.Snapshot()
	for _, r := range s.routers {
		m, first := r.machine(), len(c.paths)
		c.paths = s.appendPaths(c.paths, r)
		c.statuses = append(c.statuses, Status{
			Group: r.group.name, Config: *r.config(), Source: r.tx.Source,
			Machine: m.Status(), Resume: m.Resume(), Marks: r.sequenceMarks(), Counters: r.counters,
			Refused: r.refused.snapshot(r), RefusedForgotten: r.refused.forgotten,
			Paths: c.paths[first:len(c.paths):len(c.paths)], SendFailure: s.sendFailure(r.tx.IfIndex),
		})
	}
	for name, g := range s.groups {
		if g.name == "" {
			continue
		}
		first := len(c.members)
		for _, r := range g.routers {
			c.members = append(c.members, r.config().Name)
		}
		c.names = append(c.names, name)
		c.states = append(c.states, GroupStatus{g.State(), g.Since(), c.members[first:len(c.members):len(c.members)]})
	}
	c.stray = make(map[int]Stray, len(s.stray))
	for i, st := range maps.All(s.stray) {
		c.stray[i] = *st
	}
}

// snapshot returns what was copied, by name.
func (c *copying) snapshot() Snapshot {
	snap := Snapshot{
		At: c.at, Dropped: c.dropped, Lateness: c.lateness, Stray: c.stray,
		Routers: make(map[string]*Status, len(c.statuses)), Groups: make(map[string]GroupStatus, len(c.names)),
	}
	for i := range c.statuses {
		snap.Routers[c.statuses[i].Config.Name] = &c.statuses[i]
	}
	for i, name := range c.names {
		snap.Groups[name] = c.states[i]
	}
	return snap
}
