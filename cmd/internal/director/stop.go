package director

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast/cmd/internal/notify"
)

const (
	// scriptGrace is how long the scripts of a stop may take altogether.
	scriptGrace = 5 * time.Second
	// closeGrace bounds the wait for answers under way on the control socket.
	closeGrace = time.Second
)

// stopUnit lets a unit go. It has gone when its members have reported that
// they let go of everything.
func (d *Director) stopUnit(name string) {
	u := d.units[name]
	u.stopping = true
	for i := range u.members {
		d.devices.leave(u.members[i].Name)
	}
	if err := d.speaker.Stop(name); err != nil {
		d.log.Error("cannot stop", "unit", name, "err", err)
		d.ended = append(d.ended, name)
	}
}

// memberStopped notes that a member has let go of everything.
func (d *Director) memberStopped(router string) {
	in := d.instances[router]
	if in == nil {
		return
	}
	u := d.units[in.unit]
	u.stopped++
	if u.stopped == len(u.members) {
		d.ended = append(d.ended, in.unit)
	}
}

// forgetEnded removes what the units that have ended had, all at once, and
// starts what waited for that.
func (d *Director) forgetEnded() {
	if len(d.ended) == 0 {
		return
	}
	// A release that is still under way must not find the device gone.
	d.executor.drain()
	var devices []string
	for _, name := range d.ended {
		for i := range d.units[name].members {
			devices = append(devices, namesOf(&d.units[name].members[i])...)
		}
	}
	if err := d.host.Remove(devices...); err != nil {
		d.log.Error("cannot remove the devices of what was stopped", "err", err)
	}
	left := map[string]int{}
	for _, name := range d.ended {
		d.forgetUnit(name, left)
	}
	for name, index := range left {
		d.leave(name, index)
	}
	d.ended = nil
	d.startComing()
	d.bus.tellReloaded()
}

// forgetUnit forgets a unit and its members, and notes the indexes of the
// interfaces that they leave.
func (d *Director) forgetUnit(name string, left map[string]int) {
	u := d.units[name]
	d.publishDeleted(u)
	d.where = nil
	if err := d.speaker.Remove(name); err != nil {
		d.log.Error("cannot forget a stopped unit", "unit", name, "err", err)
	}
	for _, c := range u.members {
		in := d.instances[c.Name]
		delete(d.instances, c.Name)
		d.notifier.Forget(notify.Instance, c.Name)
		d.bus.remove(c.Name)
		d.devices.forget(c.Name)
		for _, name := range c.Interfaces() {
			left[name] = in.at(name).Index
		}
	}
	d.notifier.Forget(notify.Group, name)
	delete(d.units, name)
}

// stop lets go of everything in the order that loses nothing: the checks
// first, so that no verdict is made of a director that is closing; then the
// virtual routers, which serve until their successors are heard; then the
// table, through which they served.
func (d *Director) stop() error {
	d.log.Info("stopping")
	for _, s := range d.subsystems {
		s.withdraw()
	}
	d.checks.Close()
	d.coming = nil
	var errs []error
	if d.failed == nil {
		errs = append(errs, d.stopUnits())
	}
	errs = append(errs, d.balance.stop(d.conf.LVS.OnStop))
	ctx, cancel := context.WithTimeout(context.Background(), scriptGrace)
	defer cancel()
	// A script that fails is told of: the sinks end after the scripts.
	errs = append(errs, d.notifier.Close(ctx))
	d.readMail()
	for _, s := range slices.Backward(d.subsystems) {
		errs = append(errs, s.stop())
	}
	d.closeAllSinks()
	return errors.Join(errs...)
}

// stopUnits stops all virtual routers and waits until they have let go. Their
// devices are removed with the host.
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
	for len(d.ended) < len(d.units) {
		select {
		case <-d.mail.signal:
			d.readMail()
		case <-limit.C:
			return fmt.Errorf("%d virtual routers did not let go in time", len(d.units)-len(d.ended))
		}
	}
	return nil
}

// close frees what open acquired, whatever part of it.
func (d *Director) close() error {
	var errs []error
	d.opts.EarlySpeaker.end()
	for _, s := range slices.Backward(d.subsystems) {
		s.close()
	}
	d.closeAllSinks()
	if d.unwatch != nil {
		d.unwatch()
	}
	close(d.stopLater)
	d.endRivalries()
	if d.speaker != nil {
		d.speaker.Quit()
		d.executor.quit()
	}
	if d.socket != nil {
		errs = append(errs, d.socket.Close())
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
	return errors.Join(append(errs, d.locked.unlock())...)
}
