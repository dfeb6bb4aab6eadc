package director

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"holdfast/cmd/internal/control"
	"holdfast/conf"
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
func (b backend) Status(ctx context.Context) (*control.Status, error) {
	var s *control.Status
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
		b.d.services.reconcile() // the answer comes when it is done
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
	p := &control.Plan{Version: control.StatusVersion, Path: d.opts.Path, Steps: []control.Step{}}
	for _, text := range describe(d.conf, c) {
		p.Steps = append(p.Steps, control.Step{Area: "holdfast", Text: text})
	}
	ops, err := d.services.balance.preview(c)
	if err != nil {
		return nil, err
	}
	for _, op := range ops {
		p.Steps = append(p.Steps, control.Step{Area: "lvs", Text: op.String()})
	}
	return p, nil
}

// vrrpStatusSoon has the loop make a vrrpStatus.
func (d *Director) vrrpStatusSoon(ctx context.Context) (*control.Status, error) {
	var s *control.Status
	var err error
	if e := d.ask(ctx, func() { s, err = d.vrrpStatus() }); e != nil {
		return nil, e
	}
	return s, err
}

// busDirector is the director as D-Bus sees it.
type busDirector struct{ backend }

// Announce implements dbus.Director.
func (b busDirector) Announce(ctx context.Context, name string) error {
	var err error
	e := b.d.ask(ctx, func() { err = b.d.routers.announce(name) })
	return errors.Join(e, err)
}

// Write implements dbus.Director.
func (b busDirector) Write(name string, content []byte) error {
	path := filepath.Join(b.d.opts.Config.Director.RuntimeDir, name)
	if err := replaceFile(path, content); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// stateText is the status for people, "" if the loop does not tell in time, as
// when it stops.
func (d *Director) stateText(ctx context.Context) string {
	text := make(chan string, 1)
	err := d.ask(ctx, func() {
		if s, err := d.status(); err == nil {
			text <- s.Text(control.SectionAll)
		} else {
			text <- ""
		}
	})
	if err != nil {
		return ""
	}
	return <-text
}
