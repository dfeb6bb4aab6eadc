package director

import (
	"maps"
	"reflect"
	"slices"

	"holdfast/conf"
	"holdfast/vrrp"
)

// changeUnit applies what a reload changed in the members of a unit that stays.
func (rs *routers) changeUnit(p *unitPair) {
	rs.units[p.new.name].unit = p.new
	for i, c := range p.new.members {
		old, in := p.was[i], rs.instances[c.Name]
		left := in.leavesWires(c) // a look forgets them
		in.conf = c
		rs.index = nil
		in.track = p.new.tracking(i)
		rs.applyTracking(in)
		moved := false
		if !reflect.DeepEqual(specs(old), specs(c)) {
			moved = true
			rs.changeDevices(in, old)
		}
		if !slices.Equal(old.Wires(), c.Wires()) {
			rs.look([]*instance{in})
		}
		if moved || !reflect.DeepEqual(old.Config, c.Config) {
			rs.reopen(in)
			rs.deliver(in, vrrp.Reconfigure{Config: c.Config, Reclaim: moved})
		}
		rs.updateTx(in, !sameTx(old, c))
		for name, index := range left {
			rs.leave(name, index)
		}
	}
}

// running returns the units that run, and the names of those that are being
// stopped. What waits to be started is not among them.
func (rs *routers) running() (list []unit, stopping []string) {
	for _, name := range slices.Sorted(maps.Keys(rs.units)) {
		if u := rs.units[name]; u.stopping {
			stopping = append(stopping, name)
		} else {
			list = append(list, u.unit)
		}
	}
	return list, stopping
}

// startComing starts what waits, units and members that join one, as soon as
// nothing that is still being stopped has their name, device or virtual router.
func (rs *routers) startComing() {
	var waiting, free []unit
	for _, u := range rs.coming {
		if rs.blocked(&u) {
			waiting = append(waiting, u)
		} else {
			free = append(free, u)
		}
	}
	rs.coming = waiting
	rs.startUnits(free)
}

func (rs *routers) blocked(u *unit) bool {
	for _, r := range rs.units {
		if !r.stopping {
			continue
		}
		if r.name == u.name {
			return true
		}
		for _, a := range r.members {
			for _, b := range u.members {
				if a.Name == b.Name || sharesDevice(a, b) ||
					(a.Interface == b.Interface && a.VRID == b.VRID && a.Family == b.Family) {
					return true
				}
			}
		}
	}
	return false
}

// runsOn reports whether an instance runs on the interface, or has addresses
// there: then it has been
// there, and its absence is a fault of the instance, not of the file.
func (rs *routers) runsOn(name string) bool { return len(rs.eventIndex().interfaces[name]) > 0 }

// changeDevices brings the devices of an instance to what a reload made of it.
// New ones are bare until they are claimed.
func (rs *routers) changeDevices(in *instance, old *conf.Instance) {
	before := in.extra
	in.stale = true
	rs.look([]*instance{in})
	names := namesOf(in.conf)
	rs.devices.set(in.conf.Name, names)
	gone := slices.DeleteFunc(namesOf(old), func(name string) bool { return slices.Contains(names, name) })
	if len(gone) > 0 {
		rs.executor.drain() // an order that names them may be under way
		if err := rs.host.Remove(gone...); err != nil {
			rs.log.Error("cannot remove a device", "vrrp", in.conf.Name, "err", err)
		}
	}
	for name, f := range before {
		if !slices.Contains(in.conf.AllInterfaces(), name) {
			rs.leave(name, f.Index)
		}
	}
}
