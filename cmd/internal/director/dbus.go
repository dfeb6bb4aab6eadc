package director

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"holdfast/cmd/internal/dbus"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/netdev/statefile"
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

// A busService is the subsystem that shows the virtual routers on D-Bus.
type busService struct {
	base
	service  optional[dbus.Service]
	director dbus.Director // answers the methods, outside the loop
	routers  busRouters
	reloaded bool // a reload is still to be signalled to clients
}

// busRouters are the virtual routers as D-Bus sees them.
type busRouters interface {
	// onBus returns all that run.
	onBus() []dbus.Instance
	// settled reports whether those that run are those that are configured.
	settled() bool
}

func (b *busService) apply(c *conf.Config) {
	want := &c.Director.DBus
	o := dbus.Options{Bus: string(want.Bus), Socket: want.Bus.Socket(), Name: want.Name}
	start := func() *dbus.Service {
		if text := WithoutDBus(c); text != "" {
			b.log.Warn("nothing is on D-Bus", "reason", text)
		}
		s := dbus.New(b.log, b.director, o)
		s.Add(b.routers.onBus()...)
		return s
	}
	b.service.want(&b.base, want.Enabled, start, func(s *dbus.Service) { s.Configure(o) }, closeBus)
}

func (b *busService) report(s *status.Status) {
	b.service.with(func(service *dbus.Service) {
		st := service.Status()
		s.DBus = &st
	})
}

func (b *busService) suspend() { b.close() }

func (b *busService) stop() error {
	b.service.with((*dbus.Service).Stopped)
	b.close()
	return nil
}

func (b *busService) close() { b.service.take(closeBus) }

// closeBus ends a service; what it still has to say goes through.
func closeBus(s *dbus.Service) {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	s.Close(ctx)
}

// add shows instances that came. list is called only if there is a service.
func (b *busService) add(list func() []dbus.Instance) {
	b.service.with(func(s *dbus.Service) { s.Add(list()...) })
}

// remove removes an instance that went.
func (b *busService) remove(name string) {
	b.service.with(func(s *dbus.Service) { s.Remove(name) })
}

// handle tells clients of a change of state.
func (b *busService) handle(e *event.Event) {
	b.service.with(func(s *dbus.Service) { s.Handle(e) })
}

// resumed tells clients of an instance that goes on in the state that it had in
// the former binary, which is no event.
func (b *busService) resumed(router string, state vrrp.State) {
	b.service.with(func(s *dbus.Service) { s.Change(router, busStates[state]) })
}

// signalReloaded signals a reload once the instances are those that it wanted: a
// client that gets the signal asks which instances there are.
func (b *busService) signalReloaded() {
	if b.reloaded && b.routers.settled() {
		b.reloaded = false
		b.service.with((*dbus.Service).Reloaded)
	}
}

var busStates = map[vrrp.State]dbus.State{
	vrrp.Init: dbus.Init, vrrp.Backup: dbus.Backup, vrrp.Master: dbus.Master, vrrp.Fault: dbus.Fault,
}

// onBus implements busRouters.
func (rs *routers) onBus() []dbus.Instance { return rs.busInstances(rs.allInstances()) }

// busInstances returns instances as D-Bus shows them.
func (rs *routers) busInstances(list []*instance) []dbus.Instance {
	if len(list) == 0 {
		return nil
	}
	snap, err := rs.speaker.Snapshot()
	if err != nil {
		return nil // the VRRP loop has ended, and so does the director
	}
	shown := make([]dbus.Instance, len(list))
	for i, in := range list {
		c := in.conf
		shown[i] = dbus.Instance{Name: c.Name, Interface: c.Interface, VRID: c.VRID, IPv6: c.Family == vrrp.IPv6}
		if st, ok := snap.Routers[c.Name]; ok {
			shown[i].State = busStates[st.Machine.State]
		}
	}
	return shown
}

// settled implements busRouters.
func (rs *routers) settled() bool {
	for _, u := range rs.units {
		if u.stopping {
			return false
		}
	}
	return len(rs.coming) == 0
}

// busDirector is the director as D-Bus sees it.
type busDirector struct{ backend }

// Reload implements dbus.Director.
func (b busDirector) Reload(ctx context.Context) error {
	_, err := b.backend.Reload(ctx)
	return err
}

// Announce implements dbus.Director.
func (b busDirector) Announce(ctx context.Context, name string) error {
	var err error
	e := b.d.ask(ctx, func() { err = b.d.routers.announce(name) })
	return errors.Join(e, err)
}

// Write implements dbus.Director.
func (b busDirector) Write(name string, content []byte) error {
	path := filepath.Join(b.d.opts.Config.Director.RuntimeDir, name)
	if err := statefile.Replace(path, content); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
