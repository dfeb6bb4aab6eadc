package director

import (
	"net/netip"
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
	d.events.Append(e)
}

// reported hears what the VRRP loop tells.
func (d *Director) reported(r speaker.Report) {
	switch r.Verb {
	case vrrp.Transition:
		d.transition(r)
	case vrrp.Rival:
		d.log.Warn("rival MASTER", "vrrp", r.Router, "reason", r.Why)
		d.note(control.Event{At: r.At, Kind: control.KindRival, Subject: r.Router, Reason: r.Why})
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
	d.log.Info("transition", subject, e.Subject, "from", e.From, "to", e.To, "reason", r.Why)
	d.note(e)
	if d.balance.setMaster(e.Subject, r.To == vrrp.Master) {
		d.dirty = true
	}
	d.notifyTransition(r)
}

// notifyTransition runs the scripts of an instance or a group.
func (d *Director) notifyTransition(r speaker.Report) {
	ev := notify.Event{
		Kind: notify.Group, Name: r.Group, State: scriptState(r.To), OldState: scriptState(r.From),
		Reason: r.Why, At: r.At,
	}
	var commands conf.Notify
	if r.Router == "" {
		u := d.units[r.Group]
		if u == nil {
			return
		}
		commands = u.notify
	} else {
		in := d.instances[r.Router]
		if in == nil {
			return
		}
		commands = in.conf.Notify
		ev.Kind, ev.Name, ev.Priority = notify.Instance, r.Router, int(r.Priority)
		ev.VRRP = &notify.VRRP{
			Interface: in.conf.Interface, Device: in.conf.Device, Family: in.conf.Family.String(),
			VRID: int(in.conf.VRID), Addresses: prefixTexts(in.conf.Prefixes),
		}
	}
	d.send(ev, scripts(&commands))
}

func (d *Director) send(ev notify.Event, s notify.Scripts) {
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

func scripts(n *conf.Notify) notify.Scripts {
	c := func(argv []string) *notify.Command {
		if len(argv) == 0 {
			return nil
		}
		return &notify.Command{Argv: argv, Timeout: n.Timeout}
	}
	return notify.Scripts{Master: c(n.Master), Backup: c(n.Backup), Fault: c(n.Fault), Stop: c(n.Stop), Any: c(n.Any)}
}

func prefixTexts(list []netip.Prefix) []string {
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
	d.tellServices()
	d.log.Info("server is "+health.String(), "server", c.ID, "reason", c.Reason)
	d.note(control.Event{
		At: c.At, Kind: control.KindServer, Subject: c.ID,
		From: scriptHealth(before), To: to, Reason: c.Reason,
	})
	d.notifyServer(r, c, scriptHealth(before), to)
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
	ev := notify.Event{
		Kind: notify.Server, Name: c.ID, State: to, OldState: from, Reason: c.Reason, At: c.At,
		LVS: &notify.LVS{
			Service: r.Service, Server: r.Server, Protocol: s.Service.Key.Protocol.String(),
			Mark: s.Service.Key.Mark, ServersTotal: len(s.Servers),
		},
	}
	if s.Service.Key.Address.IsValid() {
		ev.LVS.ServiceAddress = s.Service.Key.Address.String()
	}
	var own conf.ServerNotify
	for i, server := range s.Servers {
		if d.balance.table.Health(lvs.Ref{Service: r.Service, Server: server.Name}) == lvs.Up {
			ev.LVS.ServersUp++
		}
		if server.Name == r.Server {
			own, ev.Priority, ev.LVS.ServerAddress = s.Health[i].Notify, server.Server.Weight, server.Server.Address.String()
		}
	}
	var sc notify.Scripts
	if len(own.Up) > 0 {
		sc.Up = &notify.Command{Argv: own.Up, Timeout: own.Timeout}
	}
	if len(own.Down) > 0 {
		sc.Down = &notify.Command{Argv: own.Down, Timeout: own.Timeout}
	}
	d.send(ev, sc)
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
