package director

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// scriptGrace is how long the scripts of a stop may take altogether.
	scriptGrace = 5 * time.Second
	// closeGrace bounds the wait for answers under way on the control socket.
	closeGrace = time.Second
)

// stop lets go of everything in the order that loses nothing: the checks
// first, so that no verdict is made of a director that is closing; then the
// virtual routers, which serve until their successors are heard; then the
// table, through which they served.
func (d *Director) stop() error {
	d.log.Info("stopping")
	d.checks.Close()
	d.coming = nil
	var errs []error
	if d.failed == nil {
		errs = append(errs, d.stopUnits())
	}
	errs = append(errs, d.balance.stop(d.conf.LVS.OnStop))
	ctx, cancel := context.WithTimeout(context.Background(), scriptGrace)
	defer cancel()
	errs = append(errs, d.notifier.Close(ctx))
	return errors.Join(errs...)
}

// stopUnits stops all virtual routers and waits until they have let go.
func (d *Director) stopUnits() error {
	longest := time.Duration(0)
	for _, in := range d.instances {
		longest = max(longest, in.conf.Interval)
	}
	for name, u := range d.units {
		if !u.stopping {
			d.stopUnit(name)
		}
	}
	// Each lets go by itself within an interval and a moment.
	limit := time.NewTimer(longest + 2*time.Second)
	defer limit.Stop()
	for len(d.units) > 0 {
		select {
		case <-d.mail.signal:
			d.readMail()
		case <-limit.C:
			return fmt.Errorf("%d virtual routers did not let go in time", len(d.units))
		}
	}
	return nil
}

// close frees what open acquired, whatever part of it.
func (d *Director) close() error {
	var errs []error
	if d.unwatch != nil {
		d.unwatch()
	}
	if d.speaker != nil {
		d.speaker.Quit()
		d.hands.quit()
	}
	if d.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
		defer cancel()
		errs = append(errs, d.server.Close(ctx))
	}
	d.threads.Wait()
	if d.port != nil {
		d.port.Shutdown()
	}
	if d.host != nil {
		errs = append(errs, d.host.Close())
	}
	return errors.Join(errs...)
}
