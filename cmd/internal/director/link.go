package director

import (
	"context"
	"time"

	"holdfast/netdev"
)

// mendPause is the time between an event that tells of a device of ours that is
// not as it should be and the look at all of them. A burst of events is one look.
const mendPause = 100 * time.Millisecond

// The kernel tells of no event when somebody turns a sysctl back, so the devices
// are looked at every lookPause; where there are many, less often. A look takes
// some 30 µs a device, so that lookEach is one part in 500 of the time.
const (
	lookPause = 800 * time.Millisecond
	lookEach  = 16 * time.Millisecond
)

// untilNextLook returns the time to the next look at so many devices; it is
// never longer than limit. How long a look took says less than their number: on
// a busy machine it is mostly waiting.
func untilNextLook(devices int, limit time.Duration) time.Duration {
	return min(max(time.Duration(devices)*lookEach, lookPause), limit)
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
	d.nudgeTrackers(e)
	all := e.Kind == netdev.Resync
	for _, in := range d.instances {
		name := in.conf.Interface
		if all || name == e.Name || (e.Was != "" && name == e.Was) {
			d.toLook[in] = true
		}
		if e.Kind == netdev.LinkChanged && routesBy(&in.conf, e.Name) {
			d.mendSoon()
		}
	}
	if d.host.Concerns(e) {
		d.mendSoon()
	}
}

// mendSoon has the devices looked at in a moment.
func (d *Director) mendSoon() {
	if !d.mending {
		d.mending = true
		d.mendTimer.Reset(mendPause)
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
