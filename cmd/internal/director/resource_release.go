package director

import (
	"errors"

	"holdfast/conf"
)

// releaseResources stops, in reverse order, what a run that died has started. The
// addresses are gone already: another director is MASTER.
func (d *Director) releaseResources(c *conf.Config) error {
	r := newResources(d.base(), c.Director.RuntimeDir, d.routers.gate)
	r.workUntil, r.publish = d.workUntil, noEvent
	d.subsystems = append(d.subsystems, r)
	r.saved = r.recall(false)
	if len(r.saved.Units) == 0 {
		return nil
	}
	r.apply(c)
	var stuck []error
	err := r.stop()
	for _, p := range r.troubles() {
		stuck = append(stuck, errors.New(p.Text))
	}
	return errors.Join(append(stuck, err)...)
}
