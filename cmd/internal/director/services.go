package director

import (
	"fmt"
	"time"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/notify"
	"holdfast/conf"
	"holdfast/lvs"
)

// lvsEvent returns what is to be told of a service, and how many of its servers
// nobody has judged yet.
func (d *Director) lvsEvent(s *conf.Service) (about notify.LVS, unknown int) {
	about = notify.LVS{
		Service: s.Name, Protocol: s.Service.Key.Protocol.String(), Mark: s.Service.Key.Mark, ServersTotal: len(s.Servers),
	}
	if s.Service.Key.Address.IsValid() {
		about.ServiceAddress = s.Service.Key.Address.String()
	}
	for i := range s.Servers {
		switch d.balance.table.Health(lvs.Ref{Service: s.Name, Server: s.Servers[i].Name}) {
		case lvs.Up:
			about.ServersUp++
		case lvs.Unknown:
			unknown++
		}
	}
	return about, unknown
}

// serviceNews tells of virtual services that have the first server that is up,
// or the last one no more. As long as servers that nobody has judged could decide
// it, nothing is told.
func (d *Director) serviceNews(at time.Time, reason string) {
	former := d.healths
	d.healths = make(map[string]string, len(d.conf.Services))
	for i := range d.conf.Services {
		s := &d.conf.Services[i]
		about, unknown := d.lvsEvent(s)
		was := former[s.Name]
		now := was
		switch {
		case about.ServersUp > 0:
			now = notify.Up
		case unknown == 0:
			now = notify.Down
		}
		if now != "" {
			d.healths[s.Name] = now
		}
		if now == was {
			continue
		}
		text := fmt.Sprintf("%d of %d servers are up; %s", about.ServersUp, about.ServersTotal, reason)
		d.log.Info("service is "+now, "service", s.Name, "reason", text)
		d.note(control.Event{At: at, Kind: control.KindService, Subject: s.Name, From: was, To: now, Reason: text})
		d.send(notify.Event{
			Kind: notify.Service, Name: s.Name, State: now, OldState: was, Priority: about.ServersUp,
			Reason: text, At: at, LVS: &about,
		}, notify.Scripts{})
	}
}

// tellServices tells the trackers of virtual services what these are.
func (d *Director) tellServices() {
	for i := range d.conf.Services {
		d.trackers.tellService(&d.conf.Services[i], d.balance.table.Health)
	}
}
