package director

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/notify"
	"holdfast/cmd/internal/program"
	"holdfast/conf"
	"holdfast/lvs"
	"holdfast/vrrp"
)

// runAs returns the program of a command.
func runAs(c *conf.Command, d *conf.Director) program.Program {
	p := program.Program{Argv: c.Argv, User: c.User, Group: c.Group}
	if p.User == "" {
		p.User = d.Script.User
		p.Group = cmp.Or(p.Group, d.Script.Group)
	}
	return p
}

// script returns how a command is run that may take so long; nil if there is none.
func script(c *conf.Command, limit time.Duration, d *conf.Director) *notify.Command {
	if len(c.Argv) == 0 {
		return nil
	}
	return &notify.Command{Program: runAs(c, d), OwnArguments: c.OwnArguments, Timeout: cmp.Or(c.Timeout, limit)}
}

// scriptsFor returns the scripts of the subject of an event.
func (d *Director) scriptsFor(e *event.Event) notify.Scripts {
	switch e.Kind {
	case event.KindGroup:
		if u := d.routers.units[e.Subject]; u != nil && u.group != nil {
			return d.scripts(&u.group.Notify)
		}
	case event.KindService:
		return d.serviceScripts(e.Subject)
	case event.KindServer:
		return d.serverScripts(ref(e.Subject))
	case event.KindInstance, event.KindRival, event.KindPriority:
		if in := d.routers.instances[e.Subject]; in != nil && !ownerBegins(e, in.conf) {
			return d.scripts(&in.conf.Notify)
		}
	}
	return notify.Scripts{}
}

// ownerBegins reports whether an event is the BACKUP of an owner that takes its addresses
// at once: RFC 9568 §6.4.1 knows no BACKUP in between.
func ownerBegins(e *event.Event, c *conf.Instance) bool {
	return e.Kind == event.KindInstance && e.From == vrrp.Init.String() && e.To == vrrp.Backup.String() &&
		c.Priority == vrrp.PriorityOwner && c.StartDelay == 0
}

// serviceScripts returns the scripts of a service. A fallback command of the
// administrator begins when the service goes down, but not because the daemon stops.
func (d *Director) serviceScripts(name string) notify.Scripts {
	s, ok := d.services.balance.services[name]
	if !ok {
		return notify.Scripts{}
	}
	n := &s.Notify
	run := func(c *conf.Command) *notify.Command { return script(c, n.Timeout, &d.conf.Director) }
	fallback := func(argument string) *notify.Command {
		c := run(&n.Fallback)
		if c != nil {
			c.Argv, c.OwnArguments = append(slices.Clip(c.Argv), argument), true
		}
		return c
	}
	all := notify.Scripts{Up: run(&n.QuorumUp), Down: run(&n.QuorumDown), AfterUp: fallback("stop")}
	if !d.services.ending {
		all.AfterDown = fallback("start")
	}
	return all
}

// serverScripts returns the scripts of a server.
func (d *Director) serverScripts(r lvs.Ref) notify.Scripts {
	s := d.services.balance.services[r.Service]
	for i := range s.Servers {
		if n := s.Health[i].Notify; s.Servers[i].Name == r.Server {
			return notify.Scripts{Up: script(&n.Up, n.Timeout, &d.conf.Director), Down: script(&n.Down, n.Timeout, &d.conf.Director)}
		}
	}
	return notify.Scripts{}
}

// scripts returns the scripts of an instance or group.
func (d *Director) scripts(n *conf.Notify) notify.Scripts {
	s := func(c *conf.Command) *notify.Command { return script(c, n.Timeout, &d.conf.Director) }
	return notify.Scripts{
		Master: s(&n.Master), Backup: s(&n.Backup), Fault: s(&n.Fault), Stop: s(&n.Stop), Any: s(&n.Any),
		Rival: s(&n.Rival), Priority: s(&n.Priority), Deleted: s(&n.Deleted),
	}
}

// UnfitPrograms says of every program in the configuration that could not, or
// must not, be run here and now why that is: "vrrp.outside.notify.master: script
// /etc/holdfast/notify.sh does not exist".
func UnfitPrograms(c *conf.Config) []string {
	var list []string
	found := map[string]bool{} // a script that is named often is one fault
	check := func(key string, commands map[string]*conf.Command, order ...string) {
		for _, name := range order {
			command := commands[name]
			if len(command.Argv) == 0 {
				continue
			}
			p := runAs(command, &c.Director)
			if err := p.Check(); err != nil && !found[err.Error()] {
				found[err.Error()] = true
				list = append(list, fmt.Sprintf("%s.%s: %v", key, name, err))
			}
		}
	}
	notified := func(key string, n *conf.Notify) {
		check(key+".notify", map[string]*conf.Command{
			"master": &n.Master, "backup": &n.Backup, "fault": &n.Fault, "stop": &n.Stop, "any": &n.Any,
			"rival": &n.Rival, "priority": &n.Priority, "deleted": &n.Deleted,
		}, "master", "backup", "fault", "stop", "any", "rival", "priority", "deleted")
	}
	for i := range c.VRRP {
		in := &c.VRRP[i]
		notified("vrrp."+in.Name, &in.Notify)
		check("vrrp."+in.Name, map[string]*conf.Command{"preempt_command": &in.PreemptCommand}, "preempt_command")
	}
	for i := range c.Groups {
		g := &c.Groups[i]
		notified("group."+g.Name, &g.Notify)
		check("group."+g.Name, map[string]*conf.Command{"preempt_command": &g.PreemptCommand}, "preempt_command")
	}
	for i := range c.Notify.FIFOs {
		f := &c.Notify.FIFOs[i]
		check("notify.fifo "+f.Path, map[string]*conf.Command{"command": &f.Command}, "command")
	}
	for i := range c.Alerts {
		a := &c.Alerts[i]
		check("alert."+a.Name, map[string]*conf.Command{"command": &a.Command, "recovery_command": &a.RecoveryCommand}, "command", "recovery_command")
	}
	for i := range c.Tracks {
		check("track."+c.Tracks[i].Name, map[string]*conf.Command{"command": &c.Tracks[i].Command}, "command")
	}
	for i := range c.Services {
		s := &c.Services[i]
		check("service."+s.Name+".notify", map[string]*conf.Command{
			"quorum_up": &s.Notify.QuorumUp, "quorum_down": &s.Notify.QuorumDown, "fallback": &s.Notify.Fallback,
		}, "quorum_up", "quorum_down", "fallback")
		for j := range s.Health {
			n := s.Health[j].Notify
			check("service."+s.Name+".notify", map[string]*conf.Command{"up": &n.Up, "down": &n.Down}, "up", "down")
		}
	}
	return slices.Concat(list, unfitResources(c), unfitFences(c), unfitChecks(c))
}

// warnOfPrograms logs what UnfitPrograms finds. That may take long, where users are
// looked up over the network.
func warnOfPrograms(c *conf.Config, log *slog.Logger) {
	for _, text := range UnfitPrograms(c) {
		log.Warn("a program would not be run", "reason", text)
	}
}
