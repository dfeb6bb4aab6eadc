package director

import (
	"context"
	"time"

	"holdfast/netdev"
)

// What somebody broke is looked at repairDelay after the event that tells of it,
// by when the rest of its burst has come; then not again for repairPause, which
// is also how long a mere suspicion waits. Who breaks it over and over does not
// keep us from anything else.
const (
	repairDelay = 2 * time.Millisecond
	repairPause = 100 * time.Millisecond
)

// Of a sysctl that somebody turns back through another mount of /proc nobody
// tells, so the devices are looked at every lookPause; where there are many, less
// often. A look takes some 15 µs a device, route or rule, so that lookEach is one
// part in 500 of the time. While all devices are bare it is of no consequence what
// their sysctls are, and restPause is soon enough.
const (
	lookPause = 800 * time.Millisecond
	lookEach  = 8 * time.Millisecond
	restPause = 8 * time.Second
)

// untilNextLook returns the time to the next look at so many of them; it is
// never longer than limit. How long a look took says less than their number: on
// a busy machine it is mostly waiting.
func untilNextLook(things int, bare bool, limit time.Duration) time.Duration {
	pause := max(time.Duration(things)*lookEach, lookPause)
	if bare {
		pause = max(pause, restPause)
	}
	return min(pause, limit)
}

// watch posts every link and address event to the loop.
func (d *Director) watch() error {
	w, err := netdev.OpenWatcher(d.log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.unwatch = cancel
	d.threads.Go(func() {
		if err := w.Run(ctx, func(e netdev.Event) { d.mail.post(func() { d.linkEvent(e) }) }); err != nil {
			d.log.Error("link events are not heard any more", "err", err)
		}
	})
	return nil
}

// linkEvent notes which instances an event concerns; they are looked at when
// the events that have come are through.
func (d *Director) linkEvent(e netdev.Event) {
	d.trackers.linkChanged(&e)
	d.bfd.linkChanged(&e)
	if e.Kind == netdev.Resync {
		for _, in := range d.instances {
			d.toLook[in] = true
		}
	}
	if e.Back {
		d.linkBack(e)
	}
	on := d.whereabouts()
	for _, name := range []string{e.Name, e.Was} {
		for _, in := range on.interfaces[name] {
			d.toLook[in] = true
		}
	}
	for _, in := range on.routed {
		if e.Kind == netdev.LinkChanged && routesBy(&in.conf, e.Name) ||
			e.Kind == netdev.AddressChanged && routesFrom(&in.conf, e.Prefix.Addr()) {
			d.repairWithin(repairPause)
		}
	}
	d.concern(d.host.Concerns(e))
}

// concern has the devices looked at as soon as that is called for.
func (d *Director) concern(c netdev.Concern) {
	switch c {
	case netdev.Damage:
		d.repairWithin(untilRepair(time.Since(d.reconciled)))
	case netdev.Suspicion:
		d.repairWithin(repairPause)
	}
}

// A whereabouts tells which instances an event may concern: a takeover of a
// thousand makes thousands.
type whereabouts struct {
	interfaces map[string][]*instance
	routed     []*instance // that have routes
}

// whereabouts is worked out anew when d.where was set to nil: after a change of
// instances.
func (d *Director) whereabouts() *whereabouts {
	if d.where != nil {
		return d.where
	}
	d.where = &whereabouts{interfaces: map[string][]*instance{}}
	for _, in := range d.instances {
		for _, name := range in.conf.Interfaces() {
			d.where.interfaces[name] = append(d.where.interfaces[name], in)
		}
		if len(in.conf.Routes) > 0 {
			d.where.routed = append(d.where.routed, in)
		}
	}
	return d.where
}

// linkBack has the kernel ask anew for neighbours that it asked for while the
// interface of an instance had no carrier.
func (d *Director) linkBack(e netdev.Event) {
	if !d.runsOn(e.Name) {
		return
	}
	if err := d.host.RetryNeighbours(e.Index); err != nil {
		d.log.Warn("neighbours that were asked for without carrier are missed for a second", "interface", e.Name, "err", err)
	}
}

// untilRepair returns how long to wait until damage is reconciled, when something was
// reconciled so long ago.
func untilRepair(ago time.Duration) time.Duration { return max(repairDelay, repairPause-ago) }

// repairWithin has the devices looked at in so long, or sooner if that is due
// already.
func (d *Director) repairWithin(pause time.Duration) {
	if at := time.Now().Add(pause); !d.repairing || at.Before(d.repairAt) {
		d.repairing, d.repairAt = true, at
		d.repairTimer.Reset(pause)
	}
}

// lookAtNoted looks at the instances that events concerned.
func (d *Director) lookAtNoted() {
	if len(d.toLook) == 0 {
		return
	}
	list := make([]*instance, 0, len(d.toLook))
	for in := range d.toLook {
		if d.instances[in.conf.Name] == in {
			list = append(list, in)
		}
	}
	clear(d.toLook)
	d.look(list)
}
