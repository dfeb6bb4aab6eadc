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
	d.publishStates()
	d.bus.reloaded = true
	d.bus.tellReloaded()
	d.loaded = at
	d.log.Info("reloaded", "changes", len(changes))
	d.publish(event.Event{At: at, Kind: event.KindConfig, To: "reloaded", Reason: strings.Join(changes, "; ")})
	return &control.Reloaded{At: at, Changes: changes}, nil
}

// admit says why a configuration cannot be run here, as it is: what the file
// alone cannot tell.
func (d *Director) admit(ctx context.Context, c *conf.Config) error {
	var errs []error
	if d.conf != nil && c.Director.RuntimeDir != d.conf.Director.RuntimeDir {
		errs = append(errs, fmt.Errorf("director.runtime_dir: cannot change from %s while running", d.conf.Director.RuntimeDir))
	}
	known := map[string]bool{}
	for _, in := range c.VRRP {
		for i, name := range in.Interfaces() {
			if known[name] {
				continue
			}
			known[name] = true
			if f, err := d.host.Interface(name); (err != nil || f.Index == 0) && !d.routers.runsOn(name) && !d.succeeds() {
				key := "interface"
				if i > 0 {
					key = "addresses"
				}
				errs = append(errs, fmt.Errorf("vrrp.%s.%s: there is no interface %s here", in.Name, key, name))
			}
		}
	}
	if needsIPVS(c) && d.balance.kernel == nil {
		if err := d.openIPVS(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// succeeds reports whether this is the start of a binary that another left word for:
// what that ran with is a matter of faults too.
func (d *Director) succeeds() bool { return d.conf == nil && d.inherited.At != 0 }

// applyConf brings the director from its configuration to c.
func (d *Director) applyConf(c *conf.Config) {
	d.conf = c
	if d.opts.Level != nil {
		d.opts.Level.Set(c.Director.Log.Level)
	}
	d.ticker.Reset(c.Director.ReconcileInterval)
	d.notifier.Rename(c.Director.Name)
	d.applySinks(c)
	d.warnOfPrograms()
	d.applyServices(c)
	d.serviceNews(time.Now(), "the configuration changed")
	for _, s := range d.subsystems {
		s.apply(c)
	}
}

// applyServices gives table and checker the services of a configuration.
func (d *Director) applyServices(c *conf.Config) {
	checks, err := d.balance.configure(c)
	if err != nil {
		d.log.Error("cannot take over the services", "err", err)
		return
	}
	if err := d.checks.Apply(checks); err != nil {
		d.log.Error("cannot take over the checks", "err", err)
	}
	d.dirty = true
}
