package director

import (
	"fmt"
	"time"
)

// stopUnit stops a unit. It has stopped when each member has reported that it has
// given away everything.
func (rs *routers) stopUnit(name string) {
	u := rs.units[name]
	u.stopping = true
	for i := range u.members {
		rs.devices.leave(u.members[i].Name)
	}
	if err := rs.speaker.Stop(name); err != nil {
		rs.log.Error("cannot stop", "unit", name, "err", err)
		rs.ended = append(rs.ended, name)
	}
}

// memberStopped notes that a member has given away everything.
func (rs *routers) memberStopped(router string) {
	in := rs.instances[router]
	if in == nil {
		return
	}
	u := rs.units[in.unit]
	u.stopped++
	if u.stopped == len(u.members) {
		rs.ended = append(rs.ended, in.unit)
	}
}

// forgetEnded removes what the units that have ended had, all at once, and
// starts what waited for that.
func (rs *routers) forgetEnded() {
	if len(rs.ended) == 0 {
		return
	}
	// A release that is still under way must not find the device gone.
	rs.executor.drain()
	var devices []string
	for _, name := range rs.ended {
		for i := range rs.units[name].members {
			devices = append(devices, namesOf(rs.units[name].members[i])...)
		}
	}
	if err := rs.host.Remove(devices...); err != nil {
		rs.log.Error("cannot remove the devices of what was stopped", "err", err)
	}
	left := map[string]int{}
	for _, name := range rs.ended {
		rs.forgetUnit(name, left)
	}
	for name, index := range left {
		rs.leave(name, index)
	}
	rs.ended = nil
	rs.startComing()
	rs.observer.routersSettled()
}

// forgetUnit forgets a unit and its members, and notes the indexes of the
// interfaces that they leave.
func (rs *routers) forgetUnit(name string, left map[string]int) {
	u := rs.units[name]
	rs.observer.unitGone(u)
	rs.index = nil
	if err := rs.speaker.Remove(name); err != nil {
		rs.log.Error("cannot forget a stopped unit", "unit", name, "err", err)
	}
	for _, c := range u.members {
		in := rs.instances[c.Name]
		delete(rs.instances, c.Name)
		rs.devices.forget(c.Name)
		for _, name := range c.AllInterfaces() {
			left[name] = in.at(name).Index
		}
	}
	delete(rs.units, name)
}

// stopUnits stops all virtual routers and waits for that. Their devices are removed
// when the host is closed.
func (rs *routers) stopUnits() error {
	longest := time.Duration(0)
	for _, in := range rs.instances {
		longest = max(longest, in.conf.Interval)
	}
	for name, u := range rs.units {
		if !u.stopping {
			rs.stopUnit(name)
		}
	}
	// Each stops within an advert interval and a moment.
	if !rs.workUntil(func() bool { return len(rs.ended) >= len(rs.units) }, longest+2*time.Second) {
		return fmt.Errorf("%d virtual routers did not stop in time", len(rs.units)-len(rs.ended))
	}
	return nil
}
