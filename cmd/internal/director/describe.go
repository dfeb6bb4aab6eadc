package director

import (
	"fmt"
	"reflect"

	"holdfast/conf"
)

// describe says in sentences how two configurations differ, as far as the
// running director is concerned. old may be nil.
func describe(old, new *conf.Config) []string {
	var before []unit
	if old != nil {
		before = units(old)
	} else {
		old = &conf.Config{}
	}
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	d := diffUnits(before, units(new))
	for _, u := range d.gone {
		add("stop %s", u.title())
	}
	for _, in := range d.leave {
		add("stop vrrp %s, which leaves its group", in.Name)
	}
	for _, p := range d.stay {
		list = append(list, p.describe()...)
	}
	for _, u := range d.come {
		add("start %s", u.title())
	}
	describeServices(old, new, add)
	describeTrackers(old, new, add)
	describeBFD(old, new, add)
	if old.Director.Name != "" {
		describeSections(old, new, add)
	}
	return list
}

// describeSections says which sections differ of which the configuration has one, or a
// list that is not told apart.
func describeSections(old, new *conf.Config, add func(format string, args ...any)) {
	for _, s := range []struct {
		name     string
		old, new any
	}{
		{"lvs", old.LVS, new.LVS},
		{"listen", old.Listens, new.Listens},
		{"notify", old.Notify, new.Notify},
		{"alert", old.Alerts, new.Alerts},
		{"mon_traps", old.MonTraps, new.MonTraps},
		{"page", old.Page, new.Page},
		{"metrics", old.Metrics, new.Metrics},
		{"director", old.Director, new.Director},
	} {
		if !reflect.DeepEqual(s.old, s.new) {
			add("change %s", s.name)
		}
	}
}

func (u *unit) title() string {
	if u.group == nil {
		return "vrrp " + u.name
	}
	s := "group " + u.name + " ("
	for i, m := range u.members {
		if i > 0 {
			s += ", "
		}
		s += m.Name
	}
	return s + ")"
}

func (p *unitPair) describe() []string {
	list := p.describeMoves()
	for i := range p.new.members {
		o, n := p.was[i], p.new.members[i]
		if sameInstance(o, n) {
			continue
		}
		s := "change vrrp " + n.Name
		if o.Priority != n.Priority {
			s += fmt.Sprintf(", priority %d to %d", o.Priority, n.Priority)
		}
		if o.Interval != n.Interval {
			s += fmt.Sprintf(", interval %v to %v", o.Interval, n.Interval)
		}
		if !reflect.DeepEqual(o.Prefixes, n.Prefixes) {
			s += fmt.Sprintf(", addresses %v to %v", o.Prefixes, n.Prefixes)
		}
		list = append(list, s+describePolicy(o, n))
	}
	was, now := p.old.group, p.new.group
	if was == nil || now == nil {
		return list // no group, or all of it is new
	}
	if !reflect.DeepEqual(was.Track, now.Track) {
		list = append(list, "change what group "+p.new.name+" tracks")
	}
	if !reflect.DeepEqual(was.Notify, now.Notify) {
		list = append(list, "change the scripts of group "+p.new.name)
	}
	if !reflect.DeepEqual(was.Resources, now.Resources) {
		list = append(list, "change the resources of group "+p.new.name)
	}
	if !reflect.DeepEqual(was.Fence, now.Fence) {
		list = append(list, "change the fencing of group "+p.new.name)
	}
	return list
}

// describeMoves says who is in another group than before.
func (p *unitPair) describeMoves() (list []string) {
	to := p.new.speakerName()
	for i, in := range p.new.members {
		switch from := p.from[i]; {
		case from == to:
		case from == "":
			list = append(list, "vrrp "+in.Name+" joins group "+to)
		case to == "":
			list = append(list, "vrrp "+in.Name+" leaves group "+from)
		default:
			list = append(list, "vrrp "+in.Name+" moves from group "+from+" to "+to)
		}
	}
	for _, in := range p.join {
		list = append(list, "start vrrp "+in.Name+", which joins group "+to)
	}
	return list
}

func servers(n int) string {
	if n == 1 {
		return "1 server"
	}
	return fmt.Sprintf("%d servers", n)
}

func describeServices(old, new *conf.Config, add func(string, ...any)) {
	before := make(map[string]*conf.Service, len(old.Services))
	for i := range old.Services {
		before[old.Services[i].Name] = &old.Services[i]
	}
	for i := range new.Services {
		n := &new.Services[i]
		o := before[n.Name]
		delete(before, n.Name)
		switch {
		case o == nil:
			add("add service %s with %s", n.Name, servers(len(n.Servers)))
		case !reflect.DeepEqual(o, n):
			add("change service %s", n.Name)
		}
	}
	for i := range old.Services {
		if name := old.Services[i].Name; before[name] != nil {
			add("remove service %s", name)
		}
	}
}
