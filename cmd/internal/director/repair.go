package director

import (
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/netdev"
)

// After an event that says that somebody broke something of ours, repairDelay
// passes before the host looks, by when the rest of a burst has come. After a
// look, repairPause passes before the next, which is also how long a mere
// suspicion waits: whoever breaks things over and over does not keep the loop from
// anything else.
const (
	repairDelay = 2 * time.Millisecond
	repairPause = 100 * time.Millisecond
)

// The kernel sends no event when somebody turns back a sysctl through another
// mount of /proc, so the host looks at its devices every lookPause; less often
// where there are many. A look takes some 15 µs for each device, route or rule, so
// that lookEach is one part in 2,500 of the time: fifty virtual routers at 1 s spend
// more than that on nothing but their adverts. While all devices are bare their
// sysctls have no effect, and the look at everything is soon enough.
const (
	lookPause = 800 * time.Millisecond
	lookEach  = 40 * time.Millisecond
)

// untilNextLook returns the time to the next look at so many things; it is never
// longer than limit. How long a look took says less than their number: on a busy
// machine it is mostly waiting.
func untilNextLook(things int, bare bool, limit time.Duration) time.Duration {
	if bare {
		return limit
	}
	return min(max(time.Duration(things)*lookEach, lookPause), limit)
}

// untilRepair returns how long to wait with a repair if the host last looked so
// long ago.
func untilRepair(ago time.Duration) time.Duration { return max(repairDelay, repairPause-ago) }

// A repairer says when the host compares what is ours in the kernel with what it
// should be, and reports what that finds. The loop calls due when its timer fires.
type repairer struct {
	base
	host     *netdev.Host
	owner    deviceOwner
	interval time.Duration // between looks at everything; the longest pause
	timer    *time.Timer
	pending  bool            // an event said that there is something to repair
	at       time.Time       // when that is done, if pending
	looked   time.Time       // when the host last looked
	failure  string          // why the last look could not repair everything
	failed   func(error)     // told of the error of every look; nil: nobody
	failing  map[string]bool // devices that the last look could not repair
	repairs  uint64          // so far
}

// A deviceOwner has the devices that are repaired.
type deviceOwner interface {
	// ownedCount counts the devices, routes and rules.
	ownedCount() int
	// deviceLost is told of a device that two looks could not repair.
	deviceLost(device string, err error)
	// deviceRepaired is told of a device that did not serve its addresses, and does
	// again.
	deviceRepaired(device string)
	// looked is called after every look.
	looked()
}

func newRepairer(b base, host *netdev.Host, owner deviceOwner) *repairer {
	r := &repairer{base: b, host: host, owner: owner, timer: time.NewTimer(time.Hour), failing: map[string]bool{}}
	r.timer.Stop()
	return r
}

// within has the host look after a pause, or sooner if that is due already.
func (r *repairer) within(pause time.Duration) {
	if at := time.Now().Add(pause); !r.pending || at.Before(r.at) {
		r.pending, r.at = true, at
		r.timer.Reset(pause)
	}
}

// concern has the host look as soon as an event calls for it.
func (r *repairer) concern(c netdev.Concern) {
	switch c {
	case netdev.Damage:
		r.within(untilRepair(time.Since(r.looked)))
	case netdev.Suspicion:
		r.within(repairPause)
	}
}

// due looks as the timer asks for: at everything after an event, and otherwise
// only for what the kernel sends no events of.
func (r *repairer) due() {
	if r.pending {
		r.reconcile(r.host.Reconcile)
	} else {
		r.reconcile(r.host.Look)
	}
}

// everything looks at everything. The director's ticker calls it every interval.
func (r *repairer) everything() {
	r.host.Doubt()
	if r.pending {
		r.reconcile(r.host.Reconcile)
	} else {
		r.reconcile(r.host.Look)
	}
}

// reconcile has the host put back what somebody else changed, and sets the timer
// for the next look.
func (r *repairer) reconcile(look func() ([]netdev.Repair, error)) {
	repairs, err := look()
	r.pending, r.looked = false, time.Now()
	if pause := untilNextLook(r.owner.ownedCount(), r.host.Bare(), r.interval); pause < r.interval {
		r.timer.Reset(pause)
	} else {
		r.timer.Stop() // everything comes as soon
	}
	r.reportFailure(err)
	if r.failed != nil {
		r.failed(err)
	}
	r.repairs += uint64(len(repairs))
	announce := map[string]bool{}
	for _, one := range repairs {
		if one.Announce && !announce[one.Device] {
			announce[one.Device] = true
			r.owner.deviceRepaired(one.Device)
		}
		r.log.Warn("repaired", "what", one.String())
		r.publish(event.Event{Kind: event.KindRepair, Subject: one.Device, Reason: one.Text})
	}
	r.owner.looked()
}

// reportFailure says why a look could not repair everything, each reason once. A
// MASTER whose device the second look in a row cannot repair does not have its
// addresses any more: it hands over to another director.
func (r *repairer) reportFailure(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != r.failure && err != nil {
		r.log.Error("cannot reconcile the devices; it is tried again", "err", err)
	}
	r.failure = text
	failed := netdev.FailedDevices(err)
	for device, problem := range failed {
		if r.failing[device] {
			r.owner.deviceLost(device, problem)
		} else {
			r.within(repairPause)
		}
	}
	clear(r.failing)
	for device := range failed {
		r.failing[device] = true
	}
}
