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
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	d := diffUnits(before, units(new))
	for _, u := range d.gone {
		say("stop %s", u.title())
	}
	for _, p := range d.stay {
		list = append(list, p.describe()...)
	}
	for _, u := range d.come {
		say("start %s", u.title())
	}
	describeServices(old, new, say)
	if !reflect.DeepEqual(old.LVS, new.LVS) {
		say("change lvs")
	}
	if old.Director != new.Director {
		say("change director")
	}
	return list
}

func (u *unit) title() string {
	if !u.group {
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
	var list []string
	for i := range p.new.members {
		o, n := &p.old.members[i], &p.new.members[i]
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
		list = append(list, s)
	}
	if !reflect.DeepEqual(p.old.notify, p.new.notify) {
		list = append(list, "change the scripts of group "+p.new.name)
	}
	return list
}

func describeServices(old, new *conf.Config, say func(string, ...any)) {
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
			say("add service %s with %d servers", n.Name, len(n.Servers))
		case !reflect.DeepEqual(o, n):
			say("change service %s", n.Name)
		}
	}
	for i := range old.Services {
		if name := old.Services[i].Name; before[name] != nil {
			say("remove service %s", name)
		}
	}
}
