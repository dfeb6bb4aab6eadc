package director

import (
	"errors"
	"fmt"
	"slices"

	"holdfast/conf"
	"holdfast/netdev"
	"holdfast/netdev/port"
	"holdfast/vrrp"
)

// Release does for a daemon that died what its clean stop would have done, from
// what it left under the runtime directory: it tells the other directors with
// priority 0, serves silently until one has taken over, and puts devices,
// addresses and sysctls back. The IPVS table stays, for a restart to adopt. It
// refuses while a daemon runs.
func Release(o Options) error {
	d := newDirector(o)
	d.conf = o.Config
	dir := o.Config.Director.RuntimeDir
	var err error
	if d.locked, err = lockRuntimeDir(dir, d.log); err != nil {
		return err
	}
	if d.host, err = netdev.OpenHost(netdev.Options{RuntimeDir: dir}); err != nil {
		return errors.Join(fmt.Errorf("open the host's devices: %w", err), d.close())
	}
	p, err := port.New()
	if err != nil {
		return errors.Join(fmt.Errorf("open the VRRP port: %w", err), d.close())
	}
	d.port = &vrrpPort{Port: p}
	d.releasing = true
	d.bus, d.trackers = &busService{base: d.base()}, newTrackers(d.base(), dir, false, d) // of which nothing is asked
	defer d.trackers.close()
	d.startThreads()
	d.startUnits(leftUnits(units(o.Config), d.host.Left()))
	err = d.stopUnits()
	d.sweep()
	return errors.Join(err, d.close())
}

// leftUnits returns the units of which a run that died has left a device.
func leftUnits(all []unit, left []netdev.Spec) []unit {
	return slices.DeleteFunc(all, func(u unit) bool {
		return !slices.ContainsFunc(u.members, func(in conf.Instance) bool {
			return slices.ContainsFunc(left, func(s netdev.Spec) bool { return s.Name == deviceName(&in) })
		})
	})
}

// releaseEvent is what the instance of a dead daemon is told: to let go of what
// it had, or that there is nothing to do.
func releaseEvent(in *instance) vrrp.Event {
	if in.device.Leftover {
		return vrrp.Abandon{}
	}
	return vrrp.Stop{}
}
