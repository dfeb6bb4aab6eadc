package director

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/dbus"
	"holdfast/conf"
	"holdfast/vrrp"
)

// WithoutDBus says that this binary lacks what a configuration wants; "" if it
// does not. That is no error: an upgrade to a binary without D-Bus must not
// leave a director that does not start.
func WithoutDBus(c *conf.Config) string {
	if dbus.Built || !c.Director.DBus.Enabled {
		return ""
	}
	return "director.dbus: this binary was built without D-Bus (make build TAGS=dbus); all else works"
}

// applyBus starts, changes or ends the service on D-Bus as a configuration wants.
func (d *Director) applyBus(c *conf.Config) {
	want := &c.Director.DBus
	o := dbus.Options{Bus: string(want.Bus), Socket: want.Bus.Socket(), Name: want.Name}
	switch {
	case !want.Enabled:
		if gone := d.bus; gone != nil {
			d.threads.Go(func() { closeBus(gone) }) // a method may be waiting for the loop
		}
		d.bus = nil
	case d.bus == nil:
		if text := WithoutDBus(c); text != "" {
			d.log.Warn("nothing is on D-Bus", "reason", text)
		}
		d.bus = dbus.New(d.log, busDirector{backend{d}}, o)
		d.showOnBus(d.allInstances())
	default:
		d.bus.Configure(o)
	}
}

// closeBus ends a service; what it still has to say goes through.
func closeBus(s *dbus.Service) {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	s.Close(ctx)
}

// leaveBus ends the service on D-Bus. It may be called again.
func (d *Director) leaveBus() {
	if d.bus != nil {
		closeBus(d.bus)
	}
	d.bus = nil
}

// showOnBus shows instances as they are.
func (d *Director) showOnBus(list []*instance) {
	if d.bus == nil || len(list) == 0 {
		return
	}
	snap, err := d.speaker.Snapshot()
	if err != nil {
		return // it has ended, and so does the director
	}
	shown := make([]dbus.Instance, len(list))
	for i, in := range list {
		c := &in.conf
		shown[i] = dbus.Instance{Name: c.Name, Interface: c.Interface, VRID: c.VRID, IPv6: c.Family == vrrp.IPv6}
		if st, ok := snap.Routers[c.Name]; ok {
			shown[i].State = busStates[st.Machine.State]
		}
	}
	d.bus.Add(shown...)
}

var busStates = map[vrrp.State]dbus.State{
	vrrp.Init: dbus.Init, vrrp.Backup: dbus.Backup, vrrp.Master: dbus.Master, vrrp.Fault: dbus.Fault,
}

// busTransition tells of a change of state.
func (d *Director) busTransition(router string, to vrrp.State) {
	if d.bus == nil || router == "" {
		return
	}
	state := busStates[to]
	if to == vrrp.Init { // it was something else before
		state = dbus.Stop
	}
	d.bus.Change(router, state)
}

// tellBusReloaded tells of a reload once everything is there that it wanted, and
// nothing else: who hears of it looks which instances there are.
func (d *Director) tellBusReloaded() {
	if d.bus == nil || !d.untold || len(d.coming) > 0 {
		return
	}
	for _, u := range d.units {
		if u.stopping {
			return
		}
	}
	d.untold = false
	d.bus.Reloaded()
}

// busDirector is the director as D-Bus sees it.
type busDirector struct{ backend }

// Announce implements dbus.Director.
func (b busDirector) Announce(ctx context.Context, name string) error {
	var err error
	e := b.d.ask(ctx, func() { err = b.d.announce(name) })
	return errors.Join(e, err)
}

// announce announces the addresses of an instance that is MASTER once more, or
// with "" those of all that are.
func (d *Director) announce(name string) error {
	if name != "" {
		return d.speaker.Announce(name)
	}
	snap, err := d.speaker.Snapshot()
	if err != nil {
		return err
	}
	err = errors.New("nothing is MASTER here")
	for name, st := range snap.Routers {
		// One that has just ceased to be MASTER is not to announce anything.
		if st.Machine.State == vrrp.Master && d.speaker.Announce(name) == nil {
			err = nil
		}
	}
	return err
}

// Write implements dbus.Director.
func (b busDirector) Write(name string, content []byte) error {
	path := filepath.Join(b.d.opts.Config.Director.RuntimeDir, name)
	if err := replaceFile(path, content); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// busStatus is how the service on D-Bus is; nil without one.
func (d *Director) busStatus() *control.DBus {
	if d.bus == nil {
		return nil
	}
	st := d.bus.Status()
	return &st
}
