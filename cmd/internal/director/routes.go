package director

import (
	"context"
	"net/netip"
	"slices"

	"holdfast/conf"
	"holdfast/netdev"
)

// heededRoutes says which changes of routes that are not ours matter.
type heededRoutes struct {
	tracked map[netip.Prefix]bool
	copied  bool // tables of egress follow them
}

// copies reports whether an event may change what a table of egress repeats.
// The local table is in none.
func (h *heededRoutes) copies(e *netdev.RouteEvent) bool {
	return h.copied && !e.Ours && e.Prefix.IsValid() && e.Table != netdev.LocalTable
}

// watchRoutes has the changes of routes and rules told, from the first
// configuration on that has to do with them: where a routing daemon moves
// thousands of routes, nobody else should have to hear of it.
func (d *Director) watchRoutes(c *conf.Config) {
	heeded := heededRoutes{tracked: map[netip.Prefix]bool{}}
	for i := range c.Tracks {
		if k := &c.Tracks[i]; k.Kind == conf.TrackRoute {
			heeded.tracked[k.Route] = true
		}
	}
	heeded.copied = slices.ContainsFunc(c.VRRP, func(in conf.Instance) bool { return in.Egress })
	d.heededRoutes.Store(&heeded)
	own := slices.ContainsFunc(c.VRRP, func(in conf.Instance) bool { return len(in.Routes)+len(in.Rules) > 0 })
	if d.unwatchRoutes != nil || len(heeded.tracked) == 0 && !heeded.copied && !own {
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
	heeded := d.heededRoutes.Load()
	broken := d.host.RouteConcerns(e)
	repair := broken || e.Lost || e.Ours && e.Gone || heeded.copies(&e)
	if !repair && !heeded.tracked[e.Prefix] {
		return
	}
	d.mail.post(func() {
		switch {
		case broken:
			d.repairWithin(repairDelay)
		case repair:
			d.repairWithin(repairPause)
		}
		for i := range d.conf.Tracks {
			if k := &d.conf.Tracks[i]; k.Kind == conf.TrackRoute && (e.Lost || k.Route == e.Prefix) {
				d.tracks.Nudge(k.Name)
			}
		}
	})
}

// routesBy reports whether an instance has a route by an interface, or in the
// table of a VRF. Routes go with their interface, unsaid, and cannot be there
// before it.
func routesBy(in *conf.Instance, name string) bool {
	return slices.ContainsFunc(in.Routes, func(r conf.Route) bool {
		return r.Device == name || r.VRF == name ||
			slices.ContainsFunc(r.Hops, func(h conf.Hop) bool { return h.Device == name })
	})
}

// routesFrom reports whether an instance has a route with a preferred source.
// The kernel takes such a route away with the address, unsaid, and has none
// before it is there.
func routesFrom(in *conf.Instance, source netip.Addr) bool {
	return slices.ContainsFunc(in.Routes, func(r conf.Route) bool { return r.Source == source })
}
