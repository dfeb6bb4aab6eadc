package director

import (
	"fmt"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/conf"
	"holdfast/lvs"
)

// eventService is what events tell of a service. It also returns how many of its
// servers have not been judged yet.
func (d *Director) eventService(s *conf.Service) (about *event.Service, unknown int) {
	about = &event.Service{
		Name: s.Name, Protocol: s.Service.Key.Protocol.String(), Mark: s.Service.Key.Mark, ServersTotal: len(s.Servers),
	}
	if s.Service.Key.Address.IsValid() {
		about.Address = s.Service.Key.Address.String()
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
		about, unknown := d.eventService(s)
		was := former[s.Name]
		now := was
		switch {
		case about.ServersUp > 0:
			now = event.Up
		case unknown == 0:
			now = event.Down
		}
		if now != "" {
			d.healths[s.Name] = now
		}
		if now == was {
			continue
		}
		text := fmt.Sprintf("%d of %d servers are up; %s", about.ServersUp, about.ServersTotal, reason)
		d.log.Info("service is "+now, "service", s.Name, "reason", text)
		d.publish(event.Event{At: at, Kind: event.KindService, Subject: s.Name, From: was, To: now, Reason: text, Service: about})
	}
}

// tellServices tells the trackers of virtual services what these are.
func (d *Director) tellServices() {
	for i := range d.conf.Services {
		d.trackers.tellService(&d.conf.Services[i], d.balance.table.Health)
	}
}
