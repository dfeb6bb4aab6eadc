package director

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/event"
	"holdfast/conf"
)

// configTimeout bounds how long a reload or a plan waits for the files of the
// configuration, which can be on a file server that does not answer.
const configTimeout = 10 * time.Second

// A candidate is a configuration that was read for a reload.
type candidate struct {
	at       time.Time // when the reload began
	conf     *conf.Config
	warnings conf.Errors
}

// read reads the configuration. It must not be called in the loop, because it can
// take as long as configTimeout.
func (d *Director) read(ctx context.Context) (candidate, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, configTimeout,
		fmt.Errorf("%v are over: %w", configTimeout, context.DeadlineExceeded))
	defer cancel()
	n := candidate{at: time.Now()}
	var err error
	n.conf, n.warnings, err = d.load(ctx, d.opts.Path)
	return n, err
}

// reload reads the configuration anew and has the loop apply what differs. Only
// one reload runs at a time, so that an older file never replaces a newer one.
func (d *Director) reload(ctx context.Context) (*control.Reloaded, error) {
	select {
	case d.reloading <- struct{}{}:
		defer func() { <-d.reloading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if d.opts.Busy != nil {
		defer d.opts.Busy()()
	}
	d.opts.Manager.Reloading()
	defer d.opts.Manager.Ready()
	n, err := d.read(ctx)
	if err != nil {
		// Status shows it even if the caller no longer waits.
		d.mail.post(func() { _, _ = d.adopt(ctx, n, err) })
		return nil, refused(err)
	}
	var r *control.Reloaded
	if e := d.ask(ctx, func() {
		r, err = d.adopt(ctx, n, nil)
		d.services.reconcile() // the answer comes when it is done
	}); e != nil {
		return nil, e
	}
	return r, err
}

func refused(err error) error { return fmt.Errorf("nothing was changed: %w", err) }

// adopt applies what differs in a configuration that was read, or else notes why
// it could not be read. Everything that can be refused is refused before anything
// is changed.
func (d *Director) adopt(ctx context.Context, n candidate, err error) (*control.Reloaded, error) {
	if err == nil {
		err = d.admit(ctx, n.conf)
	}
	d.reloaded = reloadResult{at: n.at, err: err}
	if err != nil {
		d.reloadsRefused++
		d.log.Error("reload refused; nothing was changed", "err", err)
		d.publish(event.Event{At: n.at, Kind: event.KindConfig, To: "refused", Reason: err.Error()})
		return nil, refused(err)
	}
	for _, w := range n.warnings {
		d.log.Warn("configuration warning", "warning", w.Error())
	}
	described := make(chan []string, 1) // it takes as long as to apply them
	former := d.conf
	go func() { described <- describe(former, n.conf) }()
	d.applyConf(n.conf)
	changes := <-described
	d.outlets.sendStatesAfterReload(func() []event.Event { return d.routers.states(stateAfterReload, &d.published) })
	d.outlets.sendStatesToNew()
	d.bus.reloaded = true
	d.bus.signalReloaded()
	d.loaded = n.at
	d.reloads++
	d.log.Info("reloaded", "changes", len(changes))
	d.publish(event.Event{At: n.at, Kind: event.KindConfig, To: "reloaded", Reason: strings.Join(changes, "; ")})
	return &control.Reloaded{At: n.at, Changes: append([]string{}, changes...)}, nil // JSON has no null
}

// reloadOnSignal reloads for each value of Options.Reload until ctx is done.
func (d *Director) reloadOnSignal(ctx context.Context) {
	for {
		select {
		case <-d.opts.Reload:
			_, _ = d.reload(ctx) // the outcome is logged and in the status
		case <-ctx.Done():
			return
		}
	}
}

// admit says why a configuration cannot be applied here and now, which the file
// alone does not show.
func (d *Director) admit(ctx context.Context, c *conf.Config) error {
	errs := []error{d.admitRuntimeDir(c)}
	for _, s := range d.subsystems {
		errs = append(errs, s.admit(ctx, c))
	}
	return errors.Join(errs...)
}

func (d *Director) admitRuntimeDir(c *conf.Config) error {
	if d.conf != nil && c.Director.RuntimeDir != d.conf.Director.RuntimeDir {
		return fmt.Errorf("director.runtime_dir: cannot change from %s while running", d.conf.Director.RuntimeDir)
	}
	return nil
}

// applyConf brings the director from its configuration to c.
func (d *Director) applyConf(c *conf.Config) {
	d.conf = c
	if d.opts.Level != nil {
		d.opts.Level.Set(c.Director.Log.Level)
	}
	d.ticker.Reset(c.Director.ReconcileInterval)
	d.socket.allow(&c.Director.Socket)
	for _, s := range d.subsystems {
		s.apply(c)
	}
}
