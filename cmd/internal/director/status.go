package director

import (
	"os"

	"holdfast/cmd/internal/control"
)

// status is everything that is known at this moment.
func (d *Director) status() (*control.Status, error) {
	s, err := d.vrrpStatus()
	if err != nil {
		return nil, err
	}
	s.Checks, s.Notify, s.LVS = d.checks.Status(), d.outlets(), d.lvsStatus()
	for _, part := range d.subsystems {
		part.report(s)
	}
	d.addRivalMACs(s)
	return s, nil
}

// vrrpStatus is status without what has nothing to do with virtual routers. SNMP
// asks for it often, and it takes less time.
func (d *Director) vrrpStatus() (*control.Status, error) {
	s := &control.Status{
		Version: control.StatusVersion, Director: d.conf.Director.Name, Software: d.opts.Version,
		PID: os.Getpid(), Started: d.started,
		Config: control.Config{Path: d.opts.Path, LoadedAt: d.loaded},
	}
	if r := d.reloaded; !r.at.IsZero() {
		s.Config.LastReload = &control.Reload{At: r.at, OK: r.err == nil}
		if r.err != nil {
			s.Config.LastReload.Error = r.err.Error()
		}
	}
	return s, d.routers.addStatus(s)
}

// lvsStatus is the table, nil when the configuration has nothing for IPVS.
func (d *Director) lvsStatus() *control.LVS {
	if !needsIPVS(d.conf) {
		return nil
	}
	services, daemons, err := d.balance.status()
	l := &control.LVS{Error: d.ipvsError, Services: services, Repairs: d.repairs}
	if err != nil && l.Error == "" {
		l.Error = err.Error()
	}
	if c := d.conf.LVS.Sync; c.Interface != "" {
		l.Sync = &control.Sync{Interface: c.Interface, ID: int(c.ID), Follow: c.Follow, Roles: []string{}}
		for _, daemon := range daemons {
			l.Sync.Roles = append(l.Sync.Roles, daemon.Role.String())
		}
	}
	return l
}
