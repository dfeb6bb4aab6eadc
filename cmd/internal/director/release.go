package director

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/conf"
	"holdfast/netdev"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// Release does for a daemon that died what its clean stop would have done, from
// what it left under the runtime directory: it tells the other directors with
// priority 0, serves silently until one has taken over, puts devices, addresses and
// sysctls back, and stops the resources of groups. The IPVS table stays, for a restart to adopt. It
// refuses while a daemon runs.
func Release(o Options) error {
	d := newDirector(o)
	if err := d.openHost(); err != nil {
		return errors.Join(err, d.close())
	}
	rs := d.routers
	rs.observer, rs.releasing = nobody{}, true
	d.subsystems = []subsystem{rs}
	if err := rs.open(); err != nil {
		return errors.Join(err, d.close())
	}
	unknown := unknownSysctls(d.host)
	rs.startUnits(leftUnits(units(o.Config), d.host.Left()))
	err := rs.stopUnits()
	return errors.Join(err, rs.sweep(), unknown, d.releaseResources(o.Config), d.close())
}

// noEvent is told of events where nobody listens.
func noEvent(event.Event) {}

// unknownSysctls says which devices were made by a run of which there is no
// journal: what else that run changed is not known.
func unknownSysctls(host *netdev.Host) error {
	names, err := host.Unrecorded()
	if err != nil || len(names) == 0 {
		return err
	}
	return fmt.Errorf("%s in the runtime directory does not name %s: the devices are removed, but sysctls that were changed "+
		"for them (arp_ignore, arp_announce and rp_filter of interfaces) are not known and stay as they are",
		netdev.JournalName, strings.Join(names, ", "))
}

// nobody is the observer of virtual routers that are only released.
type nobody struct{}

func (nobody) reported(speaker.Report)          {}
func (nobody) routersCame([]*instance)          {}
func (nobody) routerResumed(string, vrrp.State) {}
func (nobody) unitGone(*runningUnit)            {}
func (nobody) takenApart(*runningUnit)          {}
func (nobody) groupGone(string)                 {}
func (nobody) groupIs(string, vrrp.State)       {}
func (nobody) routersSettled()                  {}

// noCompanion takes its turn in the VRRP loop where no BFD sessions run.
type noCompanion struct{}

func (noCompanion) Deadline() time.Time { return time.Time{} }
func (noCompanion) Turn()               {}
func (noCompanion) End()                {}

// leftUnits returns the units of which a run that died has left a device.
func leftUnits(all []unit, left []netdev.Spec) []unit {
	return slices.DeleteFunc(all, func(u unit) bool {
		return !slices.ContainsFunc(u.members, func(in *conf.Instance) bool {
			return slices.ContainsFunc(left, func(s netdev.Spec) bool { return s.Name == deviceName(in) })
		})
	})
}

// releaseEvent is the first event of an instance of a dead daemon: it gives away
// what it had, or stops if it had nothing.
func releaseEvent(in *instance) vrrp.Event {
	if in.device.Leftover {
		return vrrp.Abandon{}
	}
	return vrrp.Stop{}
}
