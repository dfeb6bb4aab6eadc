package director

import (
	"slices"

	"holdfast/cmd/internal/notify"
	"holdfast/conf"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// regroup moves virtual routers that run between units, and has the members
// leave that are wanted no more. Nobody's state changes by that alone.
func (d *Director) regroup(diff *unitDiff) {
	var list []speaker.Unit
	var moved []conf.Instance
	for i := range diff.stay {
		if p := &diff.stay[i]; p.regrouped() {
			list = append(list, speaker.Unit{Name: p.new.speakerName(), Running: memberNames(p.was)})
			moved = append(moved, p.was...)
		}
	}
	if len(list) == 0 {
		return
	}
	former := d.takeApart(append(moved, diff.leave...))
	for _, in := range diff.leave {
		d.devices.leave(in.Name)
		d.enter(&runningUnit{unit: unit{name: in.Name, members: []conf.Instance{in}}, stopping: true})
	}
	for i := range diff.stay {
		if p := &diff.stay[i]; p.regrouped() {
			u := p.new
			u.members = p.was
			d.enter(&runningUnit{unit: u})
		}
	}
	if err := d.speaker.Regroup(list, memberNames(diff.leave)...); err != nil {
		d.log.Error("cannot change the groups", "err", err)
	}
	d.forgetGroups(former)
	d.believeGroups()
}

// takeApart forgets the units of virtual routers, and returns those units.
func (d *Director) takeApart(members []conf.Instance) map[string]*runningUnit {
	former := map[string]*runningUnit{}
	for _, in := range members {
		name := d.instances[in.Name].unit
		if u := d.units[name]; u != nil {
			d.publishGroupDeleted(u) // while its scripts are known
			former[name] = u
			delete(d.units, name)
		}
	}
	return former
}

// enter notes a unit of virtual routers that run.
func (d *Director) enter(u *runningUnit) {
	d.units[u.name] = u
	for i := range u.members {
		d.instances[u.members[i].Name].unit = u.name
	}
}

// forgetGroups forgets the groups among former units that are no more.
func (d *Director) forgetGroups(former map[string]*runningUnit) {
	for name, u := range former {
		if now := d.units[name]; !u.group || now != nil && now.group {
			continue
		}
		d.notifier.Forget(notify.Group, name)
		if d.balance.setMaster(name, false) {
			d.dirty = true
		}
	}
}

// believeGroups has IPVS follow the groups as they are. A group that is made of
// a MASTER tells that it is one too, but later than the table is looked at.
func (d *Director) believeGroups() {
	snap, err := d.speaker.Snapshot()
	if err != nil {
		return // the loop has ended, and so does the director
	}
	for name, g := range snap.Groups {
		if d.balance.setMaster(name, g.State == vrrp.Master) {
			d.dirty = true
		}
	}
}

// join has new virtual routers become members of a unit that runs.
func (d *Director) join(r *runningUnit, members []conf.Instance) {
	running := memberNames(r.members)
	u := r.unit
	u.members = slices.Concat(u.members, members)
	routers, err := d.routers(&u, len(running))
	if err == nil {
		err = d.speaker.Regroup([]speaker.Unit{{Name: u.speakerName(), Running: running, Routers: routers}})
	}
	r.unit = u
	if err != nil {
		d.log.Error("cannot start", "unit", u.name, "err", err)
		return
	}
	for i := range u.members {
		in := d.instances[u.members[i].Name]
		in.added = true
		in.track = u.tracking(i) // fellows share what they track
		d.tellTracking(in)
	}
}

func memberNames(members []conf.Instance) []string {
	names := make([]string, len(members))
	for i := range members {
		names[i] = members[i].Name
	}
	return names
}
