package director

import (
	"context"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"holdfast/conf"
	"holdfast/netdev"
	"holdfast/netdev/policy"
)

// A routeWatch is the subsystem that reports changes of routes and rules. It runs from
// the first configuration on that depends on them: a routing daemon may move thousands
// of routes, which costs time to read.
type routeWatch struct {
	base
	host    *netdev.Host
	repair  func(within time.Duration) // in the loop: has the host repair what is ours
	changed func(*policy.Event)        // in the loop: a tracked route may have changed
	moved   func()                     // in the goroutine of the watch: any route may have changed

	filter atomic.Pointer[routeFilter] // read by the goroutine of the watch
	end    context.CancelFunc          // nil: the watch does not run
}

// A routeFilter says which changes of routes that are not ours matter.
type routeFilter struct {
	tracked map[netip.Prefix]bool
	copied  bool // tables of egress follow them
}

// copies reports whether an event may change what a table of egress repeats.
// The local table is in none.
func (h *routeFilter) copies(e *policy.Event) bool {
	return h.copied && !e.Ours && e.Prefix.IsValid() && e.Table != policy.LocalTable
}

func (w *routeWatch) apply(c *conf.Config) {
	filter := routeFilter{tracked: map[netip.Prefix]bool{}}
	for i := range c.Tracks {
		if k := &c.Tracks[i]; k.Kind == conf.TrackRoute {
			filter.tracked[k.Route] = true
		}
	}
	filter.copied = slices.ContainsFunc(c.VRRP, func(in conf.Instance) bool { return in.Egress })
	w.filter.Store(&filter)
	own := slices.ContainsFunc(c.VRRP, func(in conf.Instance) bool { return len(in.Routes)+len(in.Rules) > 0 })
	if w.end == nil && (len(filter.tracked) > 0 || filter.copied || own || checksVia(c)) {
		w.start()
	}
}

func (w *routeWatch) start() {
	run, err := policy.Watch(w.log)
	if err != nil {
		w.log.Warn("routes are not watched: a change is found only by the periodic look", "err", err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.end = cancel
	w.spawn(func() { run(ctx, w.event) })
}

func (w *routeWatch) close() {
	if w.end != nil {
		w.end()
	}
}

// event is called in the goroutine of the watch, and posts what concerns us.
func (w *routeWatch) event(e policy.Event) {
	w.moved()
	filter := w.filter.Load()
	broken := w.host.RouteConcerns(e)
	suspect := e.Lost || e.Ours && e.Gone || filter.copies(&e)
	if !broken && !suspect && !filter.tracked[e.Prefix] {
		return
	}
	w.post(func() {
		switch {
		case broken:
			w.repair(repairDelay)
		case suspect:
			w.repair(repairPause)
		}
		w.changed(&e)
	})
}

// routesBy reports whether an instance has a route by an interface, or in the
// table of a VRF. The kernel removes such routes with the interface without
// reporting it, and they cannot be added before the interface is there.
func routesBy(in *conf.Instance, name string) bool {
	return slices.ContainsFunc(in.Routes, func(r conf.Route) bool {
		return r.Device == name || r.VRF == name ||
			slices.ContainsFunc(r.Hops, func(h conf.Hop) bool { return h.Device == name })
	})
}

// routesFrom reports whether an instance has a route with a preferred source. The
// kernel removes such a route with the address without reporting it, and refuses
// it before the address is there.
func routesFrom(in *conf.Instance, source netip.Addr) bool {
	return slices.ContainsFunc(in.Routes, func(r conf.Route) bool { return r.Source == source })
}
