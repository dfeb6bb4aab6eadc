package director

import (
	"slices"
	"strconv"

	"holdfast/cmd/internal/dbus"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/notify"
	"holdfast/conf"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// publish gives an event to all subscribers.
func (d *Director) publish(e event.Event) { d.events.Publish(e) }

// reported implements routersObserver.
func (d *Director) reported(r speaker.Report) {
	switch r.Verb {
	case 0: // an advert was refused
		d.protocolError(&r)
	case vrrp.Transition:
		d.transition(r)
	case vrrp.Rival:
		d.rivals.reported(r)
	case vrrp.PriorityChanged:
		d.repriced(r)
	case vrrp.HeldBack:
		d.heldBack(r)
	case vrrp.WantSession:
		d.fast.wanted(&r)
	case vrrp.FastChanged:
		d.fast.changed(&r)
	case vrrp.PathChanged:
		d.routers.reviewPaths()
	}
}

// transition publishes a change of state of an instance or a group.
func (d *Director) transition(r speaker.Report) {
	e := event.Event{
		At: r.At, Kind: event.KindGroup, Subject: r.Group,
		From: r.From.String(), To: r.To.String(), Reason: r.Why,
	}
	subject := "group"
	if r.Router != "" {
		e.Kind, e.Subject, subject = event.KindInstance, r.Router, "vrrp"
		e.Detail = map[string]string{"priority": strconv.Itoa(int(r.Priority))}
		if e.Instance = d.eventInstance(&r); e.Instance != nil {
			e.Instance.Takeover = r.Takeover.String()
		}
	} else if u := d.routers.units[r.Group]; u != nil {
		e.Group = eventGroup(u)
	}
	d.rivals.leftMaster(r)
	d.log.Info("transition", subject, e.Subject, "from", e.From, "to", e.To, "reason", r.Why)
	if r.To == vrrp.Master {
		d.routers.repair.within(lookPause) // the devices are not bare any more
	}
	d.publish(e)
}

// eventInstance returns the instance of a report as events have it; nil if it is
// gone.
func (d *Director) eventInstance(r *speaker.Report) *event.Instance {
	in := d.routers.instances[r.Router]
	if in == nil {
		return nil
	}
	return in.forEvent(r.To, r.Priority)
}

// forEvent returns an instance as events have it.
func (in *instance) forEvent(state vrrp.State, priority uint8) *event.Instance {
	i := &event.Instance{
		State: state.String(), Priority: int(priority),
		Interface: in.conf.Interface, IfIndex: in.index, Device: in.conf.Device, Family: in.conf.Family.String(),
		VRID: int(in.conf.VRID), Addresses: prefixTexts(slices.Concat(in.conf.Prefixes, in.conf.Excluded)),
	}
	if source := source(in, &in.facts); source.IsValid() {
		i.Source = source.String()
	}
	return i
}

// eventGroup returns a group as events have it.
func eventGroup(u *runningUnit) *event.Group { return &event.Group{Members: memberNames(u.members)} }

// routersCame implements routersObserver.
func (d *Director) routersCame(list []*instance) {
	d.bus.add(func() []dbus.Instance { return d.routers.busInstances(list) })
}

// routerResumed implements routersObserver.
func (d *Director) routerResumed(name string, state vrrp.State) {
	d.published.resume(name, state)
	d.bus.resumed(name, state)
	d.groupIs(name, state)
}

// unitGone implements routersObserver.
func (d *Director) unitGone(u *runningUnit) {
	d.publishDeleted(u)
	for i := range u.members {
		d.outlets.forget(notify.Instance, u.members[i].Name)
		d.bus.remove(u.members[i].Name)
	}
	d.outlets.forget(notify.Group, u.name)
}

// takenApart implements routersObserver.
func (d *Director) takenApart(u *runningUnit) { d.publishGroupDeleted(u) }

// groupGone implements routersObserver.
func (d *Director) groupGone(name string) {
	d.outlets.forget(notify.Group, name)
	d.groupIs(name, vrrp.Init)
}

// groupIs implements routersObserver. A state that is no event, like one that an
// upgrade goes on with, is for those who follow a group or an instance.
func (d *Director) groupIs(name string, state vrrp.State) {
	d.services.setMaster(name, state == vrrp.Master)
	d.alerts.setMaster(name, state == vrrp.Master)
	d.resources.setMaster(name, state == vrrp.Master)
	d.preemption.stateIs(name, state == vrrp.Backup)
	d.fast.stateIs(name, state == vrrp.Master)
}

// routersSettled implements routersObserver.
func (d *Director) routersSettled() { d.bus.signalReloaded() }

// repriced publishes a change of the effective priority.
func (d *Director) repriced(r speaker.Report) {
	d.log.Info("priority", "vrrp", r.Router, "from", r.OldPriority, "to", r.Priority, "reason", r.Why)
	d.publish(event.Event{
		At: r.At, Kind: event.KindPriority, Subject: r.Router,
		From: strconv.Itoa(int(r.OldPriority)), To: strconv.Itoa(int(r.Priority)), Reason: r.Why,
		Instance: d.eventInstance(&r),
	})
}

// heldBack publishes that an instance does not preempt a MASTER yet.
func (d *Director) heldBack(r speaker.Report) {
	d.log.Info("preemption held back", "vrrp", r.Router, "reason", r.Why)
	d.publish(event.Event{At: r.At, Kind: event.KindDirector, Subject: r.Router, Reason: r.Why})
	d.preemption.heldBack(r.Router)
}

// protocolError publishes that an advert was dropped, to SNMP alone.
func (d *Director) protocolError(r *speaker.Report) {
	if in := d.eventInstance(r); in != nil {
		in.Drop = r.Drop.String()
		d.publish(event.Event{At: r.At, Kind: event.KindProtocolError, Subject: r.Router, Instance: in, NotJournaled: true})
	}
}

// publishDeleted tells scripts which members of a unit, and whether its group,
// are not configured any more.
func (d *Director) publishDeleted(u *runningUnit) {
	named := func(name string) bool {
		return slices.ContainsFunc(d.conf.VRRP, func(in conf.Instance) bool { return in.Name == name })
	}
	for i := range u.members {
		name := u.members[i].Name
		if in := d.routers.instances[name]; in != nil && !named(name) {
			e := deletion(event.KindInstance, name)
			e.Instance = in.forEvent(vrrp.Init, 0)
			d.publish(e)
		}
	}
	d.publishGroupDeleted(u)
}

// publishGroupDeleted tells scripts if the group of a unit is not configured any
// more.
func (d *Director) publishGroupDeleted(u *runningUnit) {
	if u.group != nil && !slices.ContainsFunc(d.conf.Groups, func(g conf.Group) bool { return g.Name == u.name }) {
		e := deletion(event.KindGroup, u.name)
		e.Group = eventGroup(u)
		d.publish(e)
	}
}

// deletion is the event of something that a reload removed. The journal has the
// reload instead.
func deletion(kind, name string) event.Event {
	return event.Event{
		Kind: kind, Subject: name, From: event.Stop, To: event.Deleted, Reason: "a reload removed it", NotJournaled: true,
	}
}

func prefixTexts(list []conf.Address) []string {
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.String()
	}
	return texts
}
