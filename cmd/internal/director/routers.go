package director

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/bfd"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/netdev"
	"holdfast/netdev/port"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// A routers is the subsystem of the virtual routers: it connects their interfaces
// and devices (netdev) with the VRRP loop (speaker), and starts, changes and stops
// them. In the list of subsystems it comes behind all that report faults and
// priorities to it.
type routers struct {
	base
	host     *netdev.Host
	port     *vrrpPort
	speaker  *speaker.Speaker
	executor *executor
	devices  *deviceNames
	repair   *repairer
	trackers *trackers
	observer routersObserver
	ride     func(bfd.Loop) loopCompanion // returns what runs in the VRRP loop too
	gate     *claimGate                   // before the executor
	released func(speaker.Order)          // is told of releases once the addresses are gone
	problems func([]status.Problem)
	// resourceFaults are why instances must not be MASTER for their resources' sake.
	resourceFaults map[string]string
	// preempt returns what an instance hears of preemption at its start; nil if nothing
	// forbids it.
	preempt   func(instance string) vrrp.Event
	workUntil func(done func() bool, limit time.Duration) bool // runs the director's loop

	conf         *conf.Config // nil until the first apply
	instances    map[string]*instance
	units        map[string]*runningUnit
	coming       []unit             // wait until what they replace has stopped
	ended        []string           // units that have stopped
	toLook       map[*instance]bool // whose interface an event was about
	index        *eventIndex        // nil: to be worked out
	laterEnd     chan struct{}      // closed to end what is done later
	pathProblems bool               // something is wrong with a path
	realtime     error              // why adverts have no real-time priority; nil: they have
	failed       error              // the VRRP loop ended by itself
	releasing    bool               // only to release what a crashed run left

	// What the former binary left, and what its early speaker has come to since.
	early     *EarlySpeaker
	inherited map[string]savedRouter
	savedAt   time.Duration // since boot
	before    counts
	continued map[string]*speaker.Status
}

// A loopCompanion runs in the VRRP loop, which tells it when that ends.
type loopCompanion interface {
	speaker.Companion
	End()
}

// A runningUnit is a unit that the speaker has.
type runningUnit struct {
	unit
	stopping bool
	stopped  int // members that have stopped
}

// A routersObserver is told which virtual routers there are. All calls are made in
// the director's loop.
type routersObserver interface {
	// reported is told what the VRRP loop reports.
	reported(r speaker.Report)
	// routersCame is told of instances before they take part.
	routersCame(list []*instance)
	// routerResumed is told the state that an instance has from the former binary.
	// The VRRP loop does not report it, because it is no transition.
	routerResumed(name string, state vrrp.State)
	// unitGone is told of a unit that has stopped, while its instances are still known.
	unitGone(u *runningUnit)
	// takenApart is told of a unit whose members are about to go on in other units,
	// while the unit is still known.
	takenApart(u *runningUnit)
	// groupGone is told of a group that is no more, though its members go on.
	groupGone(name string)
	// groupIs is told the state of a group after its members changed.
	groupIs(group string, state vrrp.State)
	// routersSettled is told when nothing is being stopped any more.
	routersSettled()
}

func newRouters(b base, host *netdev.Host, observer routersObserver) *routers {
	rs := &routers{
		base: b, host: host, observer: observer, devices: newDeviceNames(),
		instances: map[string]*instance{}, units: map[string]*runningUnit{}, toLook: map[*instance]bool{},
		laterEnd: make(chan struct{}), gate: newClaimGate(), resourceFaults: map[string]string{},
		released: func(speaker.Order) {}, problems: func([]status.Problem) {},
		ride: func(bfd.Loop) loopCompanion { return noCompanion{} },
	}
	rs.repair = newRepairer(b, host, rs)
	return rs
}

// open opens the sockets and starts the VRRP loop and the executor of its orders.
func (rs *routers) open() error {
	p, err := port.New()
	if err != nil {
		return fmt.Errorf("open the VRRP port: %w", err)
	}
	rs.port = &vrrpPort{Port: p}
	companion := rs.ride(p)
	rs.speaker = speaker.New(speaker.Options{
		Port: rs.port, Log: rs.log, Companion: companion,
		Order:  rs.gate.order,
		Report: func(r speaker.Report) { rs.post(func() { rs.reported(r) }) },
	})
	later := newMailbox()
	rs.executor = newExecutor(deviceHost{rs.host, rs.devices, later.post, rs.log}, rs.speaker.Answer, rs.speaker.ClaimProgress, func(o speaker.Order, err error) {
		rs.log.Error("cannot change a device", "vrrp", o.Router, "order", vrrp.Action{Verb: o.Verb}.String(), "err", err)
	})
	rs.gate.pass = rs.executor.order
	rs.executor.released = func(o speaker.Order) { rs.tellReleased(later, o) }
	ready := make(chan error, 1)
	rs.spawn(func() {
		defer companion.End()
		ready <- goRealtime()
		if err := rs.speaker.Run(); err != nil {
			rs.post(func() { rs.failed = err })
		}
	})
	rs.spawn(func() {
		_ = goRealtimeAt(orderPriority) // the VRRP loop says why not
		rs.executor.run()
	})
	rs.spawn(func() { later.work(rs.laterEnd) })
	if rs.realtime = <-ready; rs.realtime != nil {
		rs.log.Warn("adverts may be late on a busy machine", "err", rs.realtime)
	}
	return nil
}

// tellReleased tells of a release once what the release has left for later is done: then
// the addresses are gone.
func (rs *routers) tellReleased(later *mailbox, o speaker.Order) {
	later.post(func() { rs.post(func() { rs.released(o) }) })
}

// reported takes a report of the VRRP loop.
func (rs *routers) reported(r speaker.Report) {
	if r.Verb == vrrp.Stopped && r.Drop == vrrp.DropNone {
		rs.memberStopped(r.Router)
	}
	rs.observer.reported(r)
}

func (rs *routers) restore(u *upgradeState) { rs.inherited, rs.savedAt = u.Routers, u.At }

// admit says which interfaces are not there. The interface of an instance that runs
// may be gone: that is a fault of the instance. So it is for what the former binary
// ran with.
func (rs *routers) admit(_ context.Context, c *conf.Config) error {
	if rs.conf == nil && rs.savedAt != 0 {
		return nil
	}
	var errs []error
	known := map[string]bool{}
	for _, in := range c.VRRP {
		for i, name := range in.Interfaces() {
			if known[name] {
				continue
			}
			known[name] = true
			f, err := rs.host.Interface(name)
			if err != nil && !errors.Is(err, unix.ENODEV) {
				errs = append(errs, fmt.Errorf("look at interface %s: %w", name, err))
				continue
			}
			if f.Index == 0 && !rs.runsOn(name) {
				errs = append(errs, errors.New(missingInterface(&in, i, name)))
			}
		}
	}
	return errors.Join(errs...)
}

// apply brings the virtual routers from what runs to what a configuration wants.
func (rs *routers) apply(c *conf.Config) {
	running, stopping := rs.running()
	diff := diffUnits(running, units(c), stopping...)
	rs.conf = c
	rs.repair.interval = c.Director.ReconcileInterval
	for _, u := range diff.gone {
		rs.stopUnit(u.name)
	}
	rs.regroup(&diff)
	rs.coming = diff.come
	for i := range diff.stay {
		p := &diff.stay[i]
		rs.changeUnit(p)
		if len(p.join) > 0 {
			rs.coming = append(rs.coming, p.joiners())
		}
	}
	rs.startComing()
}

// save adds what the virtual routers are, and says when that was true. Those that
// are neither MASTER nor BACKUP start anew.
func (rs *routers) save(u *upgradeState) {
	snap, err := rs.speaker.Snapshot()
	if err != nil {
		return // the VRRP loop has ended, and so does the director
	}
	u.At, u.Routers = sinceBoot(), map[string]savedRouter{}
	for name, r := range snap.Routers {
		if e := r.Resume; e.State == vrrp.Master || e.State == vrrp.Backup {
			u.Routers[name] = saveRouter(snap.At, r)
		}
	}
}

// stop gives all virtual routers away.
func (rs *routers) stop() error {
	rs.coming = nil
	if rs.loopEnded() {
		return nil
	}
	return rs.stopUnits()
}

// loopEnded reports whether the VRRP loop ended by itself; failed says why.
func (rs *routers) loopEnded() bool { return rs.failed != nil }

func (rs *routers) close() {
	close(rs.laterEnd)
	if rs.speaker != nil {
		rs.speaker.Quit()
		rs.executor.quit()
	}
}

// closePort closes the sockets, once the VRRP loop and the executor have ended.
func (rs *routers) closePort() {
	if rs.port != nil {
		rs.port.Shutdown()
	}
}

// lookAll looks at every interface, whether or not an event was about it.
func (rs *routers) lookAll() { rs.look(rs.allInstances()) }

func (rs *routers) allInstances() []*instance {
	all := make([]*instance, 0, len(rs.instances))
	for _, in := range rs.instances {
		all = append(all, in)
	}
	return all
}

// sweep removes what a former run left and the configuration does not want.
func (rs *routers) sweep() error {
	repairs, err := rs.host.Sweep()
	if err != nil {
		rs.log.Error("cannot remove what a former run left", "err", err)
	}
	for _, r := range repairs {
		rs.log.Warn("cleaned up after a former run", "what", r.String())
	}
	return err
}

// setFaults gives the speaker the faults that came and went.
func (rs *routers) setFaults(in *instance, faults map[string]vrrp.Faulted) {
	if !in.added {
		in.faults = faults
		return
	}
	for key, f := range faults {
		if in.faults[key] != f {
			rs.deliver(in, f)
		}
	}
	for key := range in.faults {
		if _, still := faults[key]; !still {
			rs.deliver(in, vrrp.Recovered{Key: key})
		}
	}
	in.faults = faults
}

func (rs *routers) deliver(in *instance, ev vrrp.Event) {
	if err := rs.speaker.Deliver(in.conf.Name, ev); err != nil {
		rs.log.Error("cannot pass an event to the VRRP loop", "vrrp", in.conf.Name, "err", err)
	}
}

// holdPreempt gives all instances the reasons why they must not preempt a MASTER.
func (rs *routers) holdPreempt(why func(instance string) string) {
	if err := rs.speaker.HoldPreempt(why); err != nil {
		rs.log.Error("cannot pass an event to the VRRP loop", "err", err)
	}
}

// isHeldBack reports whether an instance hears a MASTER that it would preempt, but for
// holdPreempt.
func (rs *routers) isHeldBack(name string) bool {
	snap, err := rs.speaker.Snapshot()
	if err != nil {
		return false
	}
	st, ok := snap.Routers[name]
	return ok && st.Machine.State == vrrp.Backup && slices.ContainsFunc(st.Machine.Waits, func(w vrrp.Wait) bool { return w.Text != "" })
}

// announce announces the addresses of an instance that is MASTER once more, or
// with "" those of all that are.
func (rs *routers) announce(name string) error {
	if name != "" {
		return rs.speaker.Announce(name)
	}
	snap, err := rs.speaker.Snapshot()
	if err != nil {
		return err
	}
	err = errors.New("no group or instance is MASTER here")
	for name, st := range snap.Routers {
		// One that has just ceased to be MASTER is not to announce anything.
		if st.Machine.State == vrrp.Master && rs.speaker.Announce(name) == nil {
			err = nil
		}
	}
	return err
}

// setResourceFault raises a fault of instances whose resources do not run, or ends it
// with "".
func (rs *routers) setResourceFault(members []string, problem string) {
	for _, name := range members {
		rs.resourceFaults[name] = problem
		if in := rs.instances[name]; in != nil {
			in.resourceFault = problem
			rs.setFaults(in, diagnose(in))
		}
	}
}

// instance returns the instance of a name, nil if there is none.
func (rs *routers) instance(name string) *instance { return rs.instances[name] }
