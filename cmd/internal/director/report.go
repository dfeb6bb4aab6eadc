package director

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/checker"
	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/notify"
	"holdfast/conf"
	"holdfast/lvs"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// note adds an entry to the journal.
func (d *Director) note(e control.Event) {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	e.Seq = d.events.Append(e)
	d.publish(e)
}

// reported hears what the VRRP loop tells.
func (d *Director) reported(r speaker.Report) {
	if r.Drop != vrrp.DropNone {
		if in := d.instances[r.Router]; in != nil {
			d.snmp.protocolError(in, &r)
		}
		return
	}
	switch r.Verb {
	case vrrp.Transition:
		d.transition(r)
	case vrrp.Rival:
		d.rivalNews(r)
	case vrrp.Repriced:
		d.repriced(r)
	case vrrp.Stopped:
		d.memberStopped(r.Router)
	}
}

// transition tells everybody who wants to know of a change of state: the
// journal, the log, the IPVS table, and at last the scripts.
func (d *Director) transition(r speaker.Report) {
	e := control.Event{
		At: r.At, Kind: control.KindGroup, Subject: r.Group,
		From: r.From.String(), To: r.To.String(), Reason: r.Why,
	}
	subject := "group"
	if r.Router != "" {
		e.Kind, e.Subject, subject = control.KindInstance, r.Router, "vrrp"
		e.Detail = map[string]string{"priority": strconv.Itoa(int(r.Priority))}
	}
	d.leftMaster(r)
	d.log.Info("transition", subject, e.Subject, "from", e.From, "to", e.To, "reason", r.Why)
	d.note(e)
	if d.balance.setMaster(e.Subject, r.To == vrrp.Master) {
		d.dirty = true
	}
	if r.To == vrrp.Master {
		d.repairWithin(lookPause) // the devices are not bare any more
	}
	d.notifyTransition(r)
	if in := d.instances[r.Router]; in != nil {
		d.bus.changed(r.Router, r.To)
		if r.To == vrrp.Master {
			d.snmp.newMaster(in, r.Takeover)
		}
	}
}

// repriced tells of another priority.
func (d *Director) repriced(r speaker.Report) {
	d.log.Info("priority", "vrrp", r.Router, "from", r.Was, "to", r.Priority, "reason", r.Why)
	d.note(control.Event{
		At: r.At, Kind: control.KindPriority, Subject: r.Router,
		From: strconv.Itoa(int(r.Was)), To: strconv.Itoa(int(r.Priority)), Reason: r.Why,
	})
	d.notifyInstance(r.Router, r.Priority, notify.Event{
		State: notify.Priority, OldState: scriptState(r.To), OldPriority: int(r.Was), Reason: r.Why, At: r.At,
	})
}

// tellDeleted tells of what a reload removed for good: nothing of that name and
// kind is configured any more.
func (d *Director) tellDeleted(u *runningUnit) {
	named := func(name string) bool {
		return slices.ContainsFunc(d.conf.VRRP, func(in conf.Instance) bool { return in.Name == name })
	}
	for i := range u.members {
		if name := u.members[i].Name; !named(name) {
			d.notifyInstance(name, 0, deletion())
		}
	}
	d.tellGroupDeleted(u)
}

// tellGroupDeleted is tellDeleted for the group alone.
func (d *Director) tellGroupDeleted(u *runningUnit) {
	if u.group && !slices.ContainsFunc(d.conf.Groups, func(g conf.Group) bool { return g.Name == u.name }) {
		d.notifyGroup(u, deletion())
	}
}

func deletion() notify.Event {
	return notify.Event{State: notify.Deleted, OldState: notify.Stop, Reason: "a reload removed it", At: time.Now()}
}

// notifyTransition runs the scripts of an instance or a group.
func (d *Director) notifyTransition(r speaker.Report) {
	ev := notify.Event{State: scriptState(r.To), OldState: scriptState(r.From), Reason: r.Why, At: r.At}
	if r.Router == "" {
		if u := d.units[r.Group]; u != nil {
			d.notifyGroup(u, ev)
		}
	} else {
		d.notifyInstance(r.Router, r.Priority, ev)
	}
}

// notifyGroup runs the scripts of a group.
func (d *Director) notifyGroup(u *runningUnit, ev notify.Event) {
	ev.Kind, ev.Name = notify.Group, u.name
	d.send(ev, d.scripts(&u.notify))
}

// notifyInstance runs the scripts of an instance.
func (d *Director) notifyInstance(name string, priority uint8, ev notify.Event) {
	in := d.instances[name]
	if in == nil {
		return
	}
	ev.Kind, ev.Name, ev.Priority = notify.Instance, name, int(priority)
	ev.VRRP = &notify.VRRP{
		Interface: in.conf.Interface, Device: in.conf.Device, Family: in.conf.Family.String(),
		VRID: int(in.conf.VRID), Addresses: prefixTexts(slices.Concat(in.conf.Prefixes, in.conf.Excluded)),
	}
	d.send(ev, d.scripts(&in.conf.Notify))
}

// send tells of an event: scripts, and readers of keepalived's lines.
func (d *Director) send(ev notify.Event, s notify.Scripts) {
	d.publishLine(&ev)
	if err := d.notifier.Send(ev, s.For(ev.State)...); err != nil {
		d.log.Warn("script not run", "subject", ev.Name, "state", ev.State, "err", err)
	}
}

// scriptEnded journals a script that failed.
func (d *Director) scriptEnded(r notify.Result) {
	if r.Err == nil {
		return
	}
	d.note(control.Event{
		Kind: control.KindNotify, Subject: r.Event.Name, To: r.Event.State, Reason: r.Err.Error(),
		Detail: map[string]string{"script": strings.Join(r.Command.Argv, " ")},
	})
}

// scriptState is the state's name in the arguments of scripts, which are
// keepalived's.
func scriptState(s vrrp.State) string {
	if s == vrrp.Init {
		return notify.Stop
	}
	return s.String()
}

func prefixTexts(list []conf.Address) []string {
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.String()
	}
	return texts
}

// verdict hears what the checker found.
func (d *Director) verdict(c checker.Change) {
	health, to := lvs.Down, notify.Down
	if c.Up {
		health, to = lvs.Up, notify.Up
	}
	r := ref(c.ID)
	before := d.balance.table.Health(r)
	if !d.balance.table.SetHealth(r, health) {
		return
	}
	d.dirty = true
	if s, ok := d.balance.services[r.Service]; ok {
		d.trackers.tellService(&s, d.balance.table.Health)
	}
	d.log.Info("server is "+health.String(), "server", c.ID, "reason", c.Reason)
	d.note(control.Event{
		At: c.At, Kind: control.KindServer, Subject: c.ID,
		From: scriptHealth(before), To: to, Reason: c.Reason,
	})
	d.notifyServer(r, c, scriptHealth(before), to)
	d.serviceNews(c.At, c.ID+" is "+to)
}

func scriptHealth(h lvs.Health) string {
	switch h {
	case lvs.Up:
		return notify.Up
	case lvs.Down:
		return notify.Down
	}
	return ""
}

// notifyServer runs the scripts of a server.
func (d *Director) notifyServer(r lvs.Ref, c checker.Change, from, to string) {
	s, ok := d.balance.services[r.Service]
	if !ok {
		return
	}
	about, _ := d.lvsEvent(&s)
	about.Server = r.Server
	ev := notify.Event{
		Kind: notify.Server, Name: c.ID, State: to, OldState: from, Reason: c.Reason, At: c.At, LVS: &about,
	}
	var own conf.ServerNotify
	for i, server := range s.Servers {
		if server.Name == r.Server {
			own, ev.Priority, about.ServerAddress = s.Health[i].Notify, server.Server.Weight, server.Server.Address.String()
		}
	}
	d.send(ev, notify.Scripts{Up: script(&own.Up, own.Timeout, &d.conf.Director), Down: script(&own.Down, own.Timeout, &d.conf.Director)})
}

// ipvsChanged journals what the balancer did.
func (d *Director) ipvsChanged(report lvs.Report) {
	for _, c := range report.Changes {
		if c.Drift {
			d.repairs++
			d.note(control.Event{Kind: control.KindRepair, Subject: "ipvs", Reason: c.Op.String()})
		}
	}
}
