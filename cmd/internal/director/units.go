package director

import (
	"cmp"
	"reflect"
	"slices"

	"holdfast/conf"
)

// A unit is what starts, stops and moves together: a group with its members,
// or a lone instance, which is its own unit and gives it its name. It refers to the
// configuration, which nobody changes: a thousand copies would take megabytes.
type unit struct {
	name    string
	group   *conf.Group // nil: a lone instance
	members []*conf.Instance
}

// resources run where the unit is MASTER, in the order of their start.
func (u *unit) resources() []conf.Resource {
	switch {
	case u.group != nil:
		return u.group.Resources
	case len(u.members) > 0:
		return u.members[0].Resources
	}
	return nil
}

// fence says how the node of a MASTER that has vanished is fenced.
func (u *unit) fence() conf.Fence {
	switch {
	case u.group != nil:
		return u.group.Fence
	case len(u.members) > 0:
		return u.members[0].Fence
	}
	return conf.Fence{}
}

// track is what the group tracks.
func (u *unit) track() []conf.Tracking {
	if u.group == nil {
		return nil
	}
	return u.group.Track
}

// speakerName is the name under which the speaker is given the unit.
func (u *unit) speakerName() string {
	if u.group != nil {
		return u.name
	}
	return ""
}

// key is where the unit is in the configuration: "group.director".
func (u *unit) key() string {
	if u.group != nil {
		return "group." + u.name
	}
	return "vrrp." + u.name
}

// units returns the units of a configuration: groups first, then the lone
// instances, each in the order of the file.
func units(c *conf.Config) []unit {
	grouped := make(map[string]bool)
	byName := make(map[string]*conf.Instance, len(c.VRRP))
	for i := range c.VRRP {
		byName[c.VRRP[i].Name] = &c.VRRP[i]
	}
	list := make([]unit, 0, len(c.Groups)+len(c.VRRP))
	for i := range c.Groups {
		g := &c.Groups[i]
		u := unit{name: g.Name, group: g}
		for _, m := range g.Members {
			grouped[m] = true
			u.members = append(u.members, byName[m])
		}
		list = append(list, u)
	}
	for i := range c.VRRP {
		if in := &c.VRRP[i]; !grouped[in.Name] {
			list = append(list, unit{name: in.Name, members: []*conf.Instance{in}})
		}
	}
	return list
}

// unitNames returns the names of the units of a configuration, in the order of units. It
// copies nothing else, and is for what is asked often.
func unitNames(c *conf.Config) []string {
	grouped := make(map[string]bool)
	names := make([]string, 0, len(c.Groups)+len(c.VRRP))
	for i := range c.Groups {
		names = append(names, c.Groups[i].Name)
		for _, m := range c.Groups[i].Members {
			grouped[m] = true
		}
	}
	for i := range c.VRRP {
		if name := c.VRRP[i].Name; !grouped[name] {
			names = append(names, name)
		}
	}
	return names
}

// A unitDiff is what a reload does to the units. What goes is stopped before what
// comes is started; virtual routers that stay keep their sockets, timers and
// mastership, whatever unit they are in now, and get what changed in them.
type unitDiff struct {
	gone  []unit           // as a whole
	leave []*conf.Instance // members of units of which others stay
	stay  []unitPair
	come  []unit // as a whole
}

// A unitPair is a unit of which members run already.
type unitPair struct {
	old  unit             // the unit as it is; without a name if it is made anew
	new  unit             // as it is to be, without those that join
	was  []*conf.Instance // the members of new, as they are
	from []string         // and the groups that they are in; "": in none
	join []*conf.Instance // the members that do not run yet
}

// regrouped reports whether the members that run are not those that the unit has.
func (p *unitPair) regrouped() bool {
	return !slices.EqualFunc(p.old.members, p.was, func(a, b *conf.Instance) bool { return a.Name == b.Name })
}

// joiners are the members that do not run yet, as a unit.
func (p *unitPair) joiners() unit {
	u := p.new
	u.members = p.join
	return u
}

// A resident is a virtual router that runs, in its unit.
type resident struct {
	in   *conf.Instance
	unit *unit
}

// diffUnits compares by name. A unit of which a member becomes another virtual
// router, or sits on another device, goes as a whole: another director serves
// all of it meanwhile. stopping are the names of units that are being stopped.
func diffUnits(old, new []unit, stopping ...string) unitDiff {
	var d unitDiff
	wanted := map[string]*conf.Instance{}
	for i := range new {
		for j := range new[i].members {
			wanted[new[i].members[j].Name] = new[i].members[j]
		}
	}
	gone := goneUnits(old, new, wanted, stopping)
	runs, former := map[string]resident{}, map[string]*unit{}
	for i := range old {
		o := &old[i]
		if gone[o.name] {
			d.gone = append(d.gone, *o)
			continue
		}
		former[o.name] = o
		for _, in := range o.members {
			if wanted[in.Name] == nil {
				d.leave = append(d.leave, in)
			} else {
				runs[in.Name] = resident{in, o}
			}
		}
	}
	for _, n := range new {
		if p := pairUnit(n, former[n.name], runs); len(p.was) > 0 {
			d.stay = append(d.stay, p)
		} else {
			d.come = append(d.come, n)
		}
	}
	return d
}

// goneUnits returns the units that go as a whole, by name. Nothing moves to a unit
// whose name another unit has until it has stopped: its members are stopped too.
func goneUnits(old, new []unit, wanted map[string]*conf.Instance, stopping []string) map[string]bool {
	gone, busy := map[string]bool{}, map[string]bool{}
	for _, name := range stopping {
		busy[name] = true
	}
	for i := range old {
		for _, in := range old[i].members {
			if wanted[in.Name] == nil {
				busy[in.Name] = true // it leaves under its own name
			}
		}
		if !old[i].stays(wanted) {
			gone[old[i].name], busy[old[i].name] = true, true
		}
	}
	for again := true; again; {
		again = false
		for i := range new {
			for j := range old {
				if o := &old[j]; busy[new[i].name] && !gone[o.name] && o.shares(&new[i]) {
					gone[o.name], busy[o.name], again = true, true, true
				}
			}
		}
	}
	return gone
}

// stays reports whether some member is wanted, and each that is as what it is.
func (u *unit) stays(wanted map[string]*conf.Instance) bool {
	some := false
	for i := range u.members {
		w := wanted[u.members[i].Name]
		if w != nil && identity(w) != identity(u.members[i]) {
			return false
		}
		some = some || w != nil
	}
	return some
}

// shares reports whether two units have a member of one name.
func (u *unit) shares(v *unit) bool {
	return slices.ContainsFunc(memberNames(u.members), func(name string) bool {
		return slices.Contains(memberNames(v.members), name)
	})
}

// pairUnit finds what runs of a new unit. It has that in the order of the unit
// as it is, in which the file may have it or not.
func pairUnit(n unit, old *unit, runs map[string]resident) unitPair {
	p := unitPair{new: n}
	if old != nil && (old.group != nil) == (n.group != nil) {
		p.old = *old
	}
	at := func(in *conf.Instance) int {
		return slices.IndexFunc(p.old.members, func(o *conf.Instance) bool { return o.Name == in.Name })
	}
	members := slices.Clone(n.members)
	slices.SortStableFunc(members, func(a, b *conf.Instance) int {
		return cmp.Compare(uint(at(a)), uint(at(b))) // what is not there comes last
	})
	p.new.members = nil
	for _, in := range members {
		r, ok := runs[in.Name]
		if !ok {
			p.join = append(p.join, in)
			continue
		}
		p.new.members, p.was = append(p.new.members, in), append(p.was, r.in)
		p.from = append(p.from, r.unit.speakerName())
	}
	return p
}

// An id is what a running instance cannot change.
type id struct {
	name, iface, device string
	family, version     int
	vrid                uint8
	mac                 conf.MAC
}

func identity(in *conf.Instance) id {
	return id{in.Name, in.Interface, in.Device, int(in.Family), int(in.Version), in.VRID, in.MAC}
}

// sameInstance reports whether nothing at all differs.
func sameInstance(a, b *conf.Instance) bool { return reflect.DeepEqual(a, b) }
