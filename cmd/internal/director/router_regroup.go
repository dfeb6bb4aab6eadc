package director

import (
	"slices"

	"holdfast/conf"
	"holdfast/vrrp/speaker"
)

// regroup moves virtual routers that run between units, and has the members
// leave that are not wanted any more. That alone changes no state.
func (rs *routers) regroup(diff *unitDiff) {
	var list []speaker.Unit
	var moved []*conf.Instance
	for i := range diff.stay {
		if p := &diff.stay[i]; p.regrouped() {
			list = append(list, speaker.Unit{Name: p.new.speakerName(), Running: memberNames(p.was)})
			moved = append(moved, p.was...)
		}
	}
	if len(list) == 0 {
		return
	}
	former := rs.takeApart(append(moved, diff.leave...))
	for _, in := range diff.leave {
		rs.devices.leave(in.Name)
		rs.enter(&runningUnit{unit: unit{name: in.Name, members: []*conf.Instance{in}}, stopping: true})
	}
	for i := range diff.stay {
		if p := &diff.stay[i]; p.regrouped() {
			u := p.new
			u.members = p.was
			rs.enter(&runningUnit{unit: u})
		}
	}
	if err := rs.speaker.Regroup(list, memberNames(diff.leave)...); err != nil {
		rs.log.Error("cannot change the groups", "err", err)
	}
	rs.forgetGroups(former)
	rs.believeGroups()
}

// takeApart forgets the units of virtual routers, and returns those units.
func (rs *routers) takeApart(members []*conf.Instance) map[string]*runningUnit {
	former := map[string]*runningUnit{}
	for _, in := range members {
		name := rs.instances[in.Name].unit
		if u := rs.units[name]; u != nil {
			rs.observer.takenApart(u)
			former[name] = u
			delete(rs.units, name)
		}
	}
	return former
}

// enter notes a unit of virtual routers that run.
func (rs *routers) enter(u *runningUnit) {
	rs.units[u.name] = u
	for i := range u.members {
		rs.instances[u.members[i].Name].unit = u.name
	}
}

// forgetGroups forgets the groups among former units that are no more.
func (rs *routers) forgetGroups(former map[string]*runningUnit) {
	for name, u := range former {
		if now := rs.units[name]; u.group == nil || now != nil && now.group != nil {
			continue
		}
		rs.observer.groupGone(name)
	}
}

// believeGroups has IPVS and alerts follow the groups as they are. A group that is made of
// a MASTER reports that it is MASTER too, but after the next look at the table.
func (rs *routers) believeGroups() {
	snap, err := rs.speaker.Snapshot()
	if err != nil {
		return // the loop has ended, and so does the director
	}
	for name, g := range snap.Groups {
		rs.observer.groupIs(name, g.State)
	}
}

// join has new virtual routers become members of a unit that runs.
func (rs *routers) join(r *runningUnit, members []*conf.Instance) {
	running := memberNames(r.members)
	u := r.unit
	u.members = slices.Concat(u.members, members)
	routers, err := rs.starting(&u, len(running))
	if err == nil {
		err = rs.speaker.Regroup([]speaker.Unit{{Name: u.speakerName(), Running: running, Routers: routers}})
	}
	r.unit = u
	if err != nil {
		rs.log.Error("cannot start", "unit", u.name, "err", err)
		return
	}
	for i := range u.members {
		in := rs.instances[u.members[i].Name]
		in.added = true
		in.track = u.tracking(i) // fellows share what they track
		rs.applyTracking(in)
	}
}

func memberNames(members []*conf.Instance) []string {
	names := make([]string, len(members))
	for i := range members {
		names[i] = members[i].Name
	}
	return names
}
