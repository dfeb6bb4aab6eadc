package director

import (
	"context"
	"os"

	"holdfast/cmd/internal/status"
)

// status is everything that is known at this moment.
func (d *Director) status() (*status.Status, error) {
	s, err := d.vrrpStatus()
	if err != nil {
		return nil, err
	}
	for _, part := range d.subsystems {
		part.report(s)
	}
	return s, nil
}

// vrrpStatus is status without what has nothing to do with virtual routers. SNMP
// asks for it often, and it takes less time.
func (d *Director) vrrpStatus() (*status.Status, error) {
	s := &status.Status{
		Version: status.Version, Director: d.conf.Director.Name, Software: d.opts.Version,
		PID: os.Getpid(), Started: d.started,
		Config:   status.Config{Path: d.opts.Path, LoadedAt: d.loaded, Reloads: d.reloads, ReloadsRefused: d.reloadsRefused},
		Upgrades: d.upgrades,
	}
	if r := d.reloaded; !r.at.IsZero() {
		s.Config.LastReload = &status.Reload{At: r.at, OK: r.err == nil}
		if r.err != nil {
			s.Config.LastReload.Error = r.err.Error()
		}
	}
	return s, d.routers.addStatus(s)
}

// vrrpStatusSoon has the loop make a vrrpStatus.
func (d *Director) vrrpStatusSoon(ctx context.Context) (*status.Status, error) {
	var s *status.Status
	var err error
	if e := d.ask(ctx, func() { s, err = d.vrrpStatus() }); e != nil {
		return nil, e
	}
	return s, err
}

// stateText returns the text of the status; "" if the loop does not answer in time,
// as when it stops.
func (d *Director) stateText(ctx context.Context) string {
	text := make(chan string, 1)
	err := d.ask(ctx, func() {
		if s, err := d.status(); err == nil {
			text <- s.Text(status.SectionAll)
		} else {
			text <- ""
		}
	})
	if err != nil {
		return ""
	}
	return <-text
}
