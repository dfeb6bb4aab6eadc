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

// reload reads the configuration anew and applies what differs. Everything
// that can be refused is refused before anything is changed.
func (d *Director) reload(ctx context.Context) (*control.Reloaded, error) {
	at := time.Now()
	c, err := conf.Load(d.opts.Path)
	if err == nil {
		err = d.admit(ctx, c)
	}
	d.reloaded = reloadResult{at: at, err: err}
	if err != nil {
		d.log.Error("reload refused; nothing was changed", "err", err)
		d.publish(event.Event{At: at, Kind: event.KindConfig, To: "refused", Reason: err.Error()})
		return nil, fmt.Errorf("nothing was changed: %w", err)
	}
	changes := describe(d.conf, c)
	d.applyConf(c)
	d.outlets.sendStates(func() []event.Event { return d.routers.states("reloaded") })
	d.bus.reloaded = true
	d.bus.signalReloaded()
	d.loaded = at
	d.log.Info("reloaded", "changes", len(changes))
	d.publish(event.Event{At: at, Kind: event.KindConfig, To: "reloaded", Reason: strings.Join(changes, "; ")})
	return &control.Reloaded{At: at, Changes: changes}, nil
}

// admit says why a configuration cannot be applied here and now, which the file
// alone does not show.
func (d *Director) admit(ctx context.Context, c *conf.Config) error {
	var errs []error
	if d.conf != nil && c.Director.RuntimeDir != d.conf.Director.RuntimeDir {
		errs = append(errs, fmt.Errorf("director.runtime_dir: cannot change from %s while running", d.conf.Director.RuntimeDir))
	}
	for _, s := range d.subsystems {
		errs = append(errs, s.admit(ctx, c))
	}
	return errors.Join(errs...)
}

// applyConf brings the director from its configuration to c.
func (d *Director) applyConf(c *conf.Config) {
	d.conf = c
	if d.opts.Level != nil {
		d.opts.Level.Set(c.Director.Log.Level)
	}
	d.ticker.Reset(c.Director.ReconcileInterval)
	for _, s := range d.subsystems {
		s.apply(c)
	}
}
