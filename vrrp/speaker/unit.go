package speaker

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"holdfast/vrrp"
)

// A Unit is what is started and stopped as one: a group of routers, or a lone
// router.
type Unit struct {
	Name    string   // of the group; "" for a lone router
	Running []string // names of members that run already: see Regroup
	Routers []Router // members to be started
}

// Add starts units with new names, and delivers the Events of their routers.
// All of this happens in one turn of the loop, so that the timers of a
// thousand routers start together. The errors are in the order of the units.
func (s *Speaker) Add(units ...Unit) []error {
	errs := make([]error, len(units))
	err := s.do(func(now time.Time) {
		for i, u := range units {
			errs[i] = s.add(now, &u)
		}
	})
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
	}
	return errs
}

func (s *Speaker) add(now time.Time, u *Unit) error {
	if err := s.areNew(u.Routers); err != nil {
		return err
	}
	s.form(now, u, nil)
	return nil
}

func (s *Speaker) areNew(routers []Router) error {
	for i := range routers {
		if name := routers[i].Config.Name; s.routers[name] != nil {
			return fmt.Errorf("virtual router %s runs already", name)
		}
	}
	return nil
}

// form makes a group of a unit's routers. The group continues the state of
// former unless that is nil.
func (s *Speaker) form(now time.Time, u *Unit, former *vrrp.Group) {
	g := &group{name: u.Name}
	g.timer.Value = g
	var machines []*vrrp.Machine
	for _, name := range u.Running {
		r := s.routers[name]
		g.routers, machines = append(g.routers, r), append(machines, r.machine())
	}
	for i := range u.Routers {
		r := &u.Routers[i]
		g.routers = append(g.routers, &router{tx: r.Tx, announce: r.Announce, counters: Counters{Since: now}, marks: maps.Clone(r.Marks)})
		machines = append(machines, vrrp.NewMachine(r.Config))
	}
	g.Group = vrrp.Regroup(u.Name, former, machines...)
	g.SetPhase(s.start)
	for i, r := range g.routers {
		r.group, r.member = g, i
	}
	s.groups[g.id()] = g
	s.perform(now, g, g.Settle(now))
	s.begin(now, g, len(u.Running), u.Routers)
}

// begin starts the new routers of a group. They come after the running ones.
func (s *Speaker) begin(now time.Time, g *group, running int, routers []Router) {
	for i, r := range g.routers[running:] {
		s.routers[r.config().Name] = r
		s.refresh(r)
		s.perform(now, g, g.Step(now, running+i, vrrp.Primary{Address: r.tx.Source}))
	}
	s.deliverFirst(now, g, running, routers)
}

// deliverFirst delivers the Events of new routers: the last of each, which starts it,
// when all of them know the rest. A router would start, and then hear from its fellow
// that the group cannot.
func (s *Speaker) deliverFirst(now time.Time, g *group, running int, routers []Router) {
	for i := range routers {
		for _, ev := range routers[i].Events[:max(0, len(routers[i].Events)-1)] {
			s.perform(now, g, g.Step(now, running+i, ev))
		}
	}
	for i := range routers {
		if n := len(routers[i].Events); n > 0 {
			s.perform(now, g, g.Step(now, running+i, routers[i].Events[n-1]))
		}
	}
}

// Regroup rearranges running routers into units, which may have new routers
// too, in one turn of the loop. Running routers keep their state, timers and
// counters. The routers in leave get a Leave event and are on their own until
// they are removed, after their Stopped reports. If a unit loses a router,
// every router of it must be named in units or leave. After an error nothing
// has changed.
func (s *Speaker) Regroup(units []Unit, leave ...string) error {
	return s.try(func(now time.Time) error {
		if err := s.regroupable(units, leave); err != nil {
			return err
		}
		s.regroup(now, units, leave)
		return nil
	})
}

func (s *Speaker) regroupable(units []Unit, leave []string) error {
	named := map[string]bool{}
	for i := range units {
		if err := s.areNew(units[i].Routers); err != nil {
			return err
		}
		for _, name := range units[i].Running {
			named[name] = true
		}
	}
	for _, name := range leave {
		named[name] = true
	}
	for name := range named {
		r := s.routers[name]
		if r == nil {
			return fmt.Errorf("no virtual router %s", name)
		}
		for _, fellow := range r.group.routers {
			if other := fellow.config().Name; !named[other] {
				return fmt.Errorf("%s was in one unit with %s, and is in none now", other, name)
			}
		}
	}
	return nil
}

func (s *Speaker) regroup(now time.Time, units []Unit, leave []string) {
	for _, name := range leave {
		r := s.routers[name]
		s.perform(now, r.group, r.group.Step(now, r.member, vrrp.Leave{}))
	}
	former := map[string]*vrrp.Group{}
	for i := range units {
		for _, name := range units[i].Running {
			former[s.routers[name].group.name] = s.dissolve(s.routers[name].group)
		}
	}
	delete(former, "") // a lone router's
	for _, name := range leave {
		s.dissolve(s.routers[name].group)
		s.form(now, &Unit{Running: []string{name}}, nil)
	}
	for i := range units {
		s.form(now, &units[i], former[units[i].Name])
	}
}

// dissolve forgets a group but not its routers.
func (s *Speaker) dissolve(g *group) *vrrp.Group {
	s.deadlines.Remove(&g.timer)
	delete(s.groups, g.id())
	return g.Group
}

// Remove forgets a group, or a lone router, whose members have all stopped.
func (s *Speaker) Remove(name string) error {
	return s.try(func(time.Time) error {
		g := s.groups[name]
		switch {
		case g == nil:
			return fmt.Errorf("no group or virtual router %s", name)
		case slices.ContainsFunc(g.routers, func(r *router) bool { return !r.stopped }):
			return fmt.Errorf("%s has not stopped", name)
		}
		s.forget(g)
		return nil
	})
}

func (s *Speaker) forget(g *group) {
	s.dissolve(g)
	for _, r := range g.routers {
		delete(s.routers, r.config().Name)
		s.expel(r)
	}
}

// Drop forgets groups as they are: nothing is sent and nothing is released.
// It is for groups that another speaker continues. Unknown names are ignored.
func (s *Speaker) Drop(names ...string) error {
	return s.do(func(time.Time) {
		for _, name := range names {
			if g := s.groups[name]; g != nil {
				s.forget(g)
			}
		}
	})
}

// id is the name by which the speaker knows the group.
func (g *group) id() string {
	if g.name == "" {
		return g.Member(0).Config().Name
	}
	return g.name
}
