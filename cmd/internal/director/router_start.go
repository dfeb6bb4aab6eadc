package director

import (
	"slices"

	"holdfast/vrrp"
	"holdfast/vrrp/auth"
	"holdfast/vrrp/speaker"
)

// startUnits lets units take part, and then makes their devices: a thousand take
// a tenth of a second, in which the timers run already. Whoever is MASTER at
// once waits for its device, as every claim is waited for.
func (rs *routers) startUnits(list []unit) {
	rs.index = nil
	var all []*instance
	for _, u := range list {
		for _, c := range u.members {
			in := &instance{conf: c, unit: u.name, faults: map[string]vrrp.Faulted{}, resourceFault: rs.resourceFaults[c.Name]}
			rs.instances[c.Name] = in
			rs.devices.set(c.Name, namesOf(c))
			all = append(all, in)
		}
	}
	rs.observer.routersCame(all)
	rs.adopt(all)
	for part := range slices.Chunk(list, unitsPerTurn) {
		rs.addUnits(part)
	}
	rs.look(all)
}

// adopt gets to know the interfaces of instances that are new, and what a former
// run left of their devices.
func (rs *routers) adopt(instances []*instance) {
	if len(instances) == 0 {
		return
	}
	facts, err := rs.askInterfaces(instances)
	if err != nil {
		rs.log.Error("cannot look at the interfaces", "err", err)
		facts = nil // none of them exists, until the next look
	}
	rs.listen(instances, facts)
	rs.makeDevices(slices.DeleteFunc(slices.Clone(instances), func(in *instance) bool {
		return facts[in.conf.Interface].Index == 0
	}), rs.host.Adopt)
	for _, in := range instances {
		in.stale = true // its devices are to be made
		in.setFacts(facts[in.conf.Interface])
		in.updateExtraInterfaces(facts)
		in.updateWires(facts)
		in.faults = diagnose(in)
	}
}

// addUnits gives units to the speaker, in one turn of its loop.
func (rs *routers) addUnits(list []unit) {
	var units []speaker.Unit
	var added []*unit
	rs.continued = rs.early.resumes()
	for i := range list {
		u := &list[i]
		if r := rs.units[u.name]; r != nil {
			rs.join(r, u.members)
			continue
		}
		rs.units[u.name] = &runningUnit{unit: *u}
		routers, err := rs.starting(u, 0)
		if err != nil {
			rs.log.Error("cannot start", "unit", u.name, "err", err)
			continue
		}
		units, added = append(units, speaker.Unit{Name: u.speakerName(), Routers: routers}), append(added, u)
	}
	for i, err := range rs.speaker.Add(units...) {
		if err != nil {
			rs.log.Error("cannot start", "unit", added[i].name, "err", err)
			continue
		}
		for _, c := range added[i].members {
			rs.instances[c.Name].added = true
		}
	}
	rs.believeGroups() // of resumed members: no event tells what they are
	rs.early.relieve(list)
}

// starting returns the members of a unit that are to be started, with what they
// hear first. running of them run already; their fellows wait for no tracker,
// which would be a fault of all.
func (rs *routers) starting(u *unit, running int) ([]speaker.Router, error) {
	var routers []speaker.Router
	for i := running; i < len(u.members); i++ {
		c := u.members[i]
		in := rs.instances[c.Name]
		v, err := txConfigOf(in)
		if err != nil {
			return nil, err
		}
		r := speaker.Router{Config: c.Config, Tx: v, Announce: announceConfig(&c.Announce), Marks: rs.formerMarks(c.Name)}
		for _, f := range in.faults {
			r.Events = append(r.Events, f)
		}
		if rs.releasing {
			r.Events = append(r.Events, releaseEvent(in))
			routers = append(routers, r)
			continue
		}
		start := rs.startEvent(in)
		if r, ok := start.(vrrp.Resume); ok {
			rs.observer.routerResumed(c.Name, r.State)
		}
		if hold := rs.preempt(c.Name); hold != nil {
			r.Events = append(r.Events, hold)
		}
		rs.beginTracking(in, u.tracking(i), running == 0 && start == vrrp.Event(vrrp.Start{}))
		r.Events = append(r.Events, append(rs.trackingEvents(in), start)...)
		routers = append(routers, r)
	}
	return routers, nil
}

// startEvent is how an instance begins: as what the former binary was, with
// what a crash left on its device, or from nothing.
func (rs *routers) startEvent(in *instance) vrrp.Event {
	was, known := rs.formerly(in)
	switch {
	case known && (was.State == vrrp.Master) == in.device.Leftover:
		return was
	case in.device.Leftover:
		rs.log.Warn("a former run left the addresses on; they are served silently until a MASTER is known",
			"vrrp", in.conf.Name, "device", in.device.Name)
		return vrrp.StartHolding{}
	}
	return vrrp.Start{}
}

// formerly is what an instance was a moment ago, if nobody has missed it since.
func (rs *routers) formerly(in *instance) (was vrrp.Resume, known bool) {
	if stood, ok := rs.continued[in.conf.Name]; ok {
		return stood.Resume, stood.Resume.State == vrrp.Master
	}
	p, known := rs.inherited[in.conf.Name]
	return p.event(clock(rs.savedAt)), known && sinceBoot()-rs.savedAt < 3*in.conf.Interval
}

// formerMarks are the sequence numbers that an instance had a moment ago. They hold
// whatever became of it since: others remember them.
func (rs *routers) formerMarks(name string) map[string]auth.Marks {
	if stood, ok := rs.continued[name]; ok {
		return stood.Marks
	}
	return rs.inherited[name].Marks
}
