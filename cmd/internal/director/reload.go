package director

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
			if f, err := d.host.Interface(name); (err != nil || f.Index == 0) && !d.runsOn(name) && !d.succeeds() {
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

// runsOn reports whether an instance runs on the interface, or has addresses
// there: then it has been
// there, and its absence is a fault of the instance, not of the file.
func (d *Director) runsOn(name string) bool { return len(d.whereabouts().interfaces[name]) > 0 }

// succeeds reports whether this is the start of a binary that another left word for:
// what that ran with is a matter of faults too.
func (d *Director) succeeds() bool { return d.conf == nil && d.inherited.At != 0 }

// applyConf brings the director from its configuration to c.
func (d *Director) applyConf(c *conf.Config) {
	running, stopping := d.running()
	diff := diffUnits(running, units(c), stopping...)
	d.conf = c
	if d.opts.Level != nil {
		d.opts.Level.Set(c.Director.Log.Level)
	}
	d.ticker.Reset(c.Director.ReconcileInterval)
	d.notifier.Rename(c.Director.Name)
	d.applySinks(c)
	d.warnOfPrograms()
	d.applyServices(c)
	for _, s := range d.subsystems {
		s.apply(c)
	}
	d.serviceNews(time.Now(), "the configuration changed")
	for _, u := range diff.gone {
		d.stopUnit(u.name)
	}
	d.regroup(&diff)
	d.coming = diff.come
	for i := range diff.stay {
		p := &diff.stay[i]
		d.changeUnit(p)
		if len(p.join) > 0 {
			d.coming = append(d.coming, p.joiners())
		}
	}
	d.startComing()
}

// running returns the units that run, and the names of those that are being
// stopped. What waits to be started is not among them.
func (d *Director) running() (list []unit, stopping []string) {
	for _, name := range slices.Sorted(maps.Keys(d.units)) {
		if u := d.units[name]; u.stopping {
			stopping = append(stopping, name)
		} else {
			list = append(list, u.unit)
		}
	}
	return list, stopping
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

// startComing starts what waits, units and members that join one, as soon as
// nothing that is still being stopped has their name, device or virtual router.
func (d *Director) startComing() {
	var waiting, free []unit
	for _, u := range d.coming {
		if d.blocked(&u) {
			waiting = append(waiting, u)
		} else {
			free = append(free, u)
		}
	}
	d.coming = waiting
	d.startUnits(free)
}

func (d *Director) blocked(u *unit) bool {
	for _, r := range d.units {
		if !r.stopping {
			continue
		}
		if r.name == u.name {
			return true
		}
		for _, a := range r.members {
			for _, b := range u.members {
				if a.Name == b.Name || sharesDevice(&a, &b) ||
					(a.Interface == b.Interface && a.VRID == b.VRID && a.Family == b.Family) {
					return true
				}
			}
		}
	}
	return false
}
