package director

import (
	"context"
	"fmt"
)

// makeWay stops what runs behind the addresses of a unit, or with "" of all units, that
// is about to give mastership away, and waits for that: the next MASTER must not start
// it while it runs here.
func (d *Director) makeWay(ctx context.Context, name string) error {
	done := make(chan struct{}, 1)
	waiting := 0
	if err := d.ask(ctx, func() {
		waiting = d.resources.leave(name, func() {
			if waiting--; waiting == 0 {
				done <- struct{}{}
			}
		})
		if waiting == 0 {
			done <- struct{}{}
		}
	}); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		d.stay(name)
		return fmt.Errorf("the resources have not stopped in time, mastership stays here: %w", ctx.Err())
	}
}

// stay has resources run again whose unit did not give mastership away.
func (d *Director) stay(name string) {
	d.mail.post(func() {
		for _, u := range d.resources.units {
			if name == "" || u.name == name {
				u.leaving = false
				d.resources.step(u)
			}
		}
	})
}

// leave stops what runs behind the addresses of the units of a name that are MASTER,
// and calls stopped for each of them that has something to stop, later. It returns how
// many those are.
func (r *resources) leave(name string, stopped func()) (waiting int) {
	for _, u := range r.units {
		if !u.master || name != "" && u.name != name {
			continue
		}
		u.leaving = true
		waiting++
		u.settled = append(u.settled, func() { r.post(stopped) })
		r.step(u)
	}
	return waiting
}
