package director

import (
	"context"
	"net/netip"
	"slices"

	"holdfast/conf"
	"holdfast/netdev"
)

// watchRoutes has the changes of routes and rules told, from the first
// configuration on that has to do with them: where a routing daemon moves
// thousands of routes, nobody else should have to hear of it.
func (d *Director) watchRoutes(c *conf.Config) {
	tracked := map[netip.Prefix]bool{}
	for i := range c.Tracks {
		if k := &c.Tracks[i]; k.Kind == conf.TrackRoute {
			tracked[k.Route] = true
		}
	}
	d.trackedRoutes.Store(&tracked)
	own := slices.ContainsFunc(c.VRRP, func(in conf.Instance) bool { return len(in.Routes)+len(in.Rules) > 0 })
	if d.unwatchRoutes != nil || len(tracked) == 0 && !own {
		return
	}
	run, err := netdev.WatchRoutes(d.log)
	if err != nil {
		d.log.Warn("changes of routes are seen in intervals only", "err", err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.unwatchRoutes = cancel
	d.threads.Go(func() { run(ctx, d.routeEvent) })
}

// routeEvent hears of a change, in the goroutine of the watch, and posts what
// concerns us.
func (d *Director) routeEvent(e netdev.RouteEvent) {
	mend := e.Lost || e.Ours && e.Gone
	if !mend && !(*d.trackedRoutes.Load())[e.Prefix] {
		return
	}
	d.mail.post(func() {
		if mend {
			d.mendSoon()
		}
		for i := range d.conf.Tracks {
			if k := &d.conf.Tracks[i]; k.Kind == conf.TrackRoute && (e.Lost || k.Route == e.Prefix) {
				d.tracks.Nudge(k.Name)
			}
		}
	})
}

// routesBy reports whether an instance has a route by an interface. Routes go
// with their interface, unsaid.
func routesBy(in *conf.Instance, name string) bool {
	return slices.ContainsFunc(in.Routes, func(r conf.Route) bool { return r.Device == name })
}
