package director

import (
	"context"
	"errors"
	"fmt"
	"holdfast/cmd/internal/dbus"
	"holdfast/vrrp"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/lvs/ipvs"
)

// backend answers the control socket for a director.
type backend struct{ d *Director }

// openSocket opens the control socket. Who comes before it is served waits.
func (d *Director) openSocket() error {
	dir := d.opts.Config.Director.RuntimeDir
	path := d.opts.Socket
	if path == "" {
		path = filepath.Join(dir, "control.sock")
	}
	var err error
	d.socket, err = control.Listen(path)
	return err
}

// serve serves the control socket.
func (d *Director) serve() {
	l := d.socket
	d.socket = nil
	d.server = control.NewServer(control.Options{
		Backend: backend{d}, Events: d.journal, Log: d.log,
		Version: control.VersionInfo{
			Software: d.opts.Version, Go: runtime.Version(), PID: os.Getpid(), Started: d.started,
		},
	})
	server := d.server
	d.threads.Go(func() {
		if err := server.Serve(l); err != nil {
			d.log.Error("the control socket is dead", "err", err)
		}
	})
}

// Status implements control.Backend.
func (b backend) Status(ctx context.Context) (*status.Status, error) {
	var s *status.Status
	var err error
	if e := b.d.ask(ctx, func() { s, err = b.d.status() }); e != nil {
		return nil, e
	}
	return s, err
}

// Reload implements control.Backend.
func (b backend) Reload(ctx context.Context) (*control.Reloaded, error) {
	var r *control.Reloaded
	var err error
	e := b.d.ask(ctx, func() {
		r, err = b.d.reload(ctx)
		b.d.balanceIfDirty() // the answer comes when it is done
	})
	if e != nil {
		return nil, e
	}
	return r, err
}

// Plan implements control.Backend.
func (b backend) Plan(ctx context.Context) (*control.Plan, error) {
	var p *control.Plan
	var err error
	if e := b.d.ask(ctx, func() { p, err = b.d.plan() }); e != nil {
		return nil, e
	}
	return p, err
}

// plan says what a reload would change now.
func (d *Director) plan() (*control.Plan, error) {
	c, err := conf.Load(d.opts.Path)
	if err != nil {
		return nil, err
	}
	p := &control.Plan{Version: status.Version, Path: d.opts.Path, Steps: []control.Step{}}
	for _, text := range describe(d.conf, c) {
		p.Steps = append(p.Steps, control.Step{Area: "holdfast", Text: text})
	}
	ops, err := d.balance.preview(c)
	if err != nil {
		return nil, err
	}
	for _, op := range ops {
		p.Steps = append(p.Steps, control.Step{Area: "lvs", Text: op.String()})
	}
	return p, nil
}

// openIPVS gives the balancer the kernel's table.
func (d *Director) openIPVS(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := ipvs.Open(ctx, d.log)
	if err != nil {
		return fmt.Errorf("the configuration needs IPVS: %w", err)
	}
	d.balance.attach(conn)
	return nil
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

// onBus implements busRouters.
func (d *Director) onBus() []dbus.Instance { return d.busInstances(d.allInstances()) }

// busInstances returns instances as D-Bus shows them.
func (d *Director) busInstances(list []*instance) []dbus.Instance {
	if len(list) == 0 {
		return nil
	}
	snap, err := d.speaker.Snapshot()
	if err != nil {
		return nil // the VRRP loop has ended, and so does the director
	}
	shown := make([]dbus.Instance, len(list))
	for i, in := range list {
		c := &in.conf
		shown[i] = dbus.Instance{Name: c.Name, Interface: c.Interface, VRID: c.VRID, IPv6: c.Family == vrrp.IPv6}
		if st, ok := snap.Routers[c.Name]; ok {
			shown[i].State = busStates[st.Machine.State]
		}
	}
	return shown
}

// settled implements busRouters.
func (d *Director) settled() bool {
	for _, u := range d.units {
		if u.stopping {
			return false
		}
	}
	return len(d.coming) == 0
}
