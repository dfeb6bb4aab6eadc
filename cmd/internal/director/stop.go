package director

import (
	"errors"
	"slices"
	"time"
)

const (
	// scriptGrace is how long the scripts of a stop may take altogether.
	scriptGrace = 5 * time.Second
	// closeGrace bounds the wait for answers under way on the control socket.
	closeGrace = time.Second
)

// stop ends everything in the order that loses no traffic: checks and trackers first,
// so that they judge nothing while the director closes; then the virtual routers,
// which serve until their successors are heard; then the IPVS table, through which
// they served.
func (d *Director) stop() error {
	d.log.Info("stopping")
	for _, s := range d.subsystems {
		s.withdraw()
	}
	var errs []error
	for _, s := range slices.Backward(d.subsystems) {
		errs = append(errs, s.stop())
	}
	return errors.Join(errs...)
}

// close frees what open acquired, whatever part of it.
func (d *Director) close() error {
	var errs []error
	d.opts.EarlySpeaker.end()
	for _, s := range slices.Backward(d.subsystems) {
		s.close()
	}
	if d.socket != nil {
		errs = append(errs, d.socket.end())
		d.api.Close()
	}
	d.threads.Wait()
	if d.routers != nil {
		d.routers.closePort()
	}
	if d.host != nil {
		errs = append(errs, d.host.Close())
	}
	return errors.Join(append(errs, d.locked.unlock())...)
}
