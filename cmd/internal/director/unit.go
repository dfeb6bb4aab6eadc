package director

import (
	"reflect"
	"slices"

	"holdfast/conf"
)

// A unit is what starts, stops and moves together: a group with its members,
// or a lone instance, which is its own unit and gives it its name.
type unit struct {
	name    string
	group   bool
	notify  conf.Notify     // of the group
	track   []conf.Tracking // of the group
	members []conf.Instance
}

// speakerName is the name under which the speaker is given the unit.
func (u *unit) speakerName() string {
	if u.group {
		return u.name
	}
	return ""
}

// units returns the units of a configuration: groups first, then the lone
// instances, each in the order of the file.
func units(c *conf.Config) []unit {
	grouped := make(map[string]bool)
	byName := make(map[string]conf.Instance, len(c.VRRP))
	for _, in := range c.VRRP {
		byName[in.Name] = in
	}
	var list []unit
	for _, g := range c.Groups {
		u := unit{name: g.Name, group: true, notify: g.Notify, track: g.Track}
		for _, m := range g.Members {
			grouped[m] = true
			u.members = append(u.members, byName[m])
		}
		list = append(list, u)
	}
	for _, in := range c.VRRP {
		if !grouped[in.Name] {
			list = append(list, unit{name: in.Name, members: []conf.Instance{in}})
		}
	}
	return list
}

// A unitDiff is what a reload does to the units: those that go are stopped
// before those that come are started; those that stay keep their sockets,
// timers and mastership, and are told of what changed in them.
type unitDiff struct {
	gone, come []unit
	stay       []unitPair
}

type unitPair struct{ old, new unit }

// diffUnits compares by name. A unit whose members are other virtual routers
// than before, or sit on other devices, cannot stay.
func diffUnits(old, new []unit) unitDiff {
	var d unitDiff
	former := make(map[string]unit, len(old))
	for _, u := range old {
		former[u.name] = u
	}
	for _, n := range new {
		o, ok := former[n.name]
		if ok && o.align(&n) {
			d.stay = append(d.stay, unitPair{o, n})
			delete(former, n.name)
		} else {
			d.come = append(d.come, n)
		}
	}
	for _, o := range old {
		if _, gone := former[o.name]; gone {
			d.gone = append(d.gone, o)
		}
	}
	return d
}

// align reports whether n has the members of u, and gives them u's order, in
// which the file may have them or not.
func (u *unit) align(n *unit) bool {
	if u.group != n.group || len(u.members) != len(n.members) {
		return false
	}
	aligned := make([]conf.Instance, len(u.members))
	for i := range u.members {
		of := slices.IndexFunc(n.members, func(in conf.Instance) bool { return identity(&in) == identity(&u.members[i]) })
		if of < 0 {
			return false
		}
		aligned[i] = n.members[of]
	}
	n.members = aligned
	return true
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
