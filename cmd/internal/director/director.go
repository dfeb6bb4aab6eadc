// Package director is the supervisor: it builds the rooms from a
// configuration, connects, reloads and stops them.
//
// Everything that the director decides happens in one goroutine, its loop.
// What others see (transitions, verdicts, link events, requests from the
// control socket) is posted to the loop. Nothing in the loop is waited for by
// the VRRP loop, which has a thread of its own.
package director

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"holdfast/checker"
	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/notify"
	"holdfast/cmd/internal/program"
	"holdfast/cmd/internal/track"
	"holdfast/conf"
	"holdfast/netdev"
	"holdfast/netdev/port"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// Options are what Run needs to know.
type Options struct {
	Path    string       // of the configuration file, for reloads
	Config  *conf.Config // what that file said
	Socket  string       // path of the control socket; "": in the runtime directory
	Version string
	Log     *slog.Logger
	// Level is changed by a reload; nil: the level is fixed.
	Level *slog.LevelVar
	// Ready is called once everything is up; nil: nobody wants to know.
	Ready func()
	// EarlySpeaker speaks for what the former binary was MASTER of; nil: nobody does.
	EarlySpeaker *EarlySpeaker
	// Reload delivers the wish to reload (SIGHUP); nil: there is none.
	Reload <-chan struct{}
}

// A Director runs one configuration. All fields but those that say otherwise
// belong to its loop.
type Director struct {
	opts    Options
	log     *slog.Logger
	started time.Time
	mail    *mailbox
	ticker  *time.Ticker // looks at everything, whether or not something told of it

	locked    *lockedDir
	host      *netdev.Host
	port      *vrrpPort
	speaker   *speaker.Speaker
	executor  *executor
	unwatch   context.CancelFunc // ends the link events
	balance   *balancer
	checks    *checker.Set
	notifier  *notify.Notifier
	sinks     []*sink
	events    *event.Bus
	journal   *event.Journal    // subscribes to events
	socket    *control.Listener // nil, or not served yet
	server    *control.Server   // nil until it serves
	threads   sync.WaitGroup    // the VRRP loop, the hands, ...
	stopLater chan struct{}     // closed to end what nobody waits for
	realtime  error             // why adverts have no real-time priority; nil: they have

	// subsystems are all that are there; those that others speak to have a name too.
	subsystems []subsystem
	bus        *busService
	snmp       *snmpAgent
	bfd        *bfdSessions
	trackers   *trackers

	conf        *conf.Config
	loaded      time.Time
	reloaded    reloadResult
	instances   map[string]*instance
	units       map[string]*runningUnit
	rivals      map[string]*rivalry // by instance
	coming      []unit              // wait for their predecessors to stop
	ended       []string            // units that have let go of everything
	dirty       bool                // the table may have to change
	healths     map[string]string   // UP or DOWN by virtual service; absent: not known
	toLook      map[*instance]bool  // whose interface an event told of
	where       *whereabouts        // nil: to be worked out
	repairing   bool                // an event told that something is to be reconciled
	repairAt    time.Time           // when, if so
	reconciled  time.Time           // when the devices were last looked at
	unrepaired  string              // why they could not be made as they should be
	failing     map[string]bool     // those devices of which that is true, by name
	repairTimer *time.Timer         // when the devices are looked at next
	devices     *deviceNames
	failed      error                  // the VRRP loop ended by itself
	inherited   upgradeState           // what the binary before this one left word of
	before      counts                 // what that had counted
	stood       map[string]vrrp.Resume // what its stand-in has come to
	upgradeTo   string                 // path of the binary that is to replace this one; "": none
	releasing   bool                   // only to let go of what a crashed run left
	ipvsError   string                 // what keeps IPVS from being as it should be
	repairs     uint64                 // changes that others had made to our part of IPVS
}

// journalSize is how many events are kept for `holdfast events`.
const journalSize = 4096

type runningUnit struct {
	unit
	stopping bool
	stopped  int // members that have let go of everything
}

type reloadResult struct {
	at  time.Time
	err error
}

// Run runs the director until ctx is done, and then stops it cleanly. An error
// says why it could not start, or what could not be put back at the end.
func Run(ctx context.Context, o Options) error {
	d := newDirector(o)
	var err error
	if d.inherited, err = readUpgradeState(o.Config.Director.RuntimeDir); err != nil {
		d.log.Warn("starting anew", "err", err)
	}
	if d.inherited.At != 0 {
		// A tracker's script would run beside the next look, without its timeout.
		if err := program.Inherit(track.IsScript); err != nil {
			d.log.Warn("scripts that the former binary started are not watched", "err", err)
		}
	}
	if err := d.open(ctx); err != nil {
		return errors.Join(err, d.close())
	}
	for _, s := range d.subsystems {
		s.restore(&d.inherited)
	}
	d.applyConf(o.Config)
	d.opts.EarlySpeaker.end()
	d.reconcile(d.host.Reconcile)
	d.sweep()
	d.recallHistory()
	d.serve()
	if o.Ready != nil {
		o.Ready()
	}
	d.log.Info("holdfast is up", "version", o.Version, "director", o.Config.Director.Name,
		"instances", len(o.Config.VRRP), "services", len(o.Config.Services))
	d.loop(ctx)
	return errors.Join(d.failed, d.stop(), d.close())
}

func newDirector(o Options) *Director {
	d := &Director{
		opts: o, log: o.Log, started: time.Now(), loaded: time.Now(), mail: newMailbox(),
		instances: map[string]*instance{}, units: map[string]*runningUnit{}, rivals: map[string]*rivalry{},
		toLook: map[*instance]bool{}, failing: map[string]bool{}, devices: newDeviceNames(), healths: map[string]string{}, stopLater: make(chan struct{}), repairTimer: time.NewTimer(time.Hour),
	}
	d.repairTimer.Stop()
	return d
}

// open acquires everything that can be refused, before anything is changed.
func (d *Director) open(ctx context.Context) error {
	if err := netdev.Preflight(); err != nil {
		return err
	}
	dir := d.opts.Config.Director.RuntimeDir
	var err error
	if d.locked, err = lockRuntimeDir(dir, d.log); err != nil {
		return err
	}
	if d.host, err = netdev.OpenHost(netdev.Options{RuntimeDir: dir}); err != nil {
		return fmt.Errorf("open the host's devices: %w", err)
	}
	memory, err := recall(dir)
	if err != nil {
		d.log.Warn("what a former run left in IPVS is not known", "err", err)
	}
	d.balance = newBalancer(d.log, memory, d.ipvsChanged)
	if err := d.admit(ctx, d.opts.Config); err != nil {
		return err
	}
	d.journal = event.NewJournal(journalSize, d.inherited.Seq)
	if err := d.openSocket(); err != nil {
		return err
	}
	p, err := port.New()
	if err != nil {
		return fmt.Errorf("open the VRRP port: %w", err)
	}
	d.port = &vrrpPort{Port: p}
	d.startThreads()
	if err := d.watch(); err != nil {
		return fmt.Errorf("watch the interfaces: %w", err)
	}
	d.notifier = notify.New(notify.Options{
		Director: d.opts.Config.Director.Name, Log: d.log,
		Result:  func(r notify.Result) { d.mail.post(func() { d.scriptEnded(r) }) },
		Scripts: d.scriptsFor,
	})
	d.checks = checker.New(checker.Options{Log: d.log, OnChange: func(c checker.Change) {
		d.mail.post(func() { d.verdict(c) })
	}})
	if err := d.openSubsystems(); err != nil {
		return err
	}
	d.events = event.NewBus(
		d.journal.Handle, // first: it numbers the event
		d.tellSinks,
		d.notifier.Handle,
		d.bus.handle,
		d.snmp.handle,
	)
	d.ticker = time.NewTicker(d.opts.Config.Director.ReconcileInterval)
	return nil
}

// openSubsystems makes the subsystems. A subsystem that tells another what it
// knows comes before it in the list.
func (d *Director) openSubsystems() error {
	b := d.base()
	d.snmp = &snmpAgent{base: b, routers: d.vrrpStatusSoon}
	d.bus = &busService{base: b, director: busDirector{backend{d}}, routers: d}
	d.trackers = newTrackers(b, d.opts.Config.Director.RuntimeDir, len(d.host.Left()) > 0, d)
	d.trackers.tellOthers = func() {
		d.tellServices()
		d.bfd.tellAll()
	}
	var err error
	d.bfd, err = newBFDSessions(b, d.trackers.tellBFD)
	if err != nil {
		d.trackers.close()
		return err
	}
	d.subsystems = []subsystem{
		d.snmp,
		d.bus,
		d.bfd,
		&settingsWatch{base: b, host: d.host, concern: d.concern},
		&routeWatch{base: b, host: d.host, repair: d.repairWithin, changed: d.trackers.routeChanged},
		d.trackers,
	}
	return nil
}

// startThreads starts the VRRP loop and the hands that do what it orders.
func (d *Director) startThreads() {
	d.speaker = speaker.New(speaker.Options{
		Port: d.port, Log: d.log,
		Order:  func(orders []speaker.Order) { d.executor.order(orders) },
		Report: func(r speaker.Report) { d.mail.post(func() { d.reported(r) }) },
	})
	later := newMailbox()
	d.executor = newExecutor(deviceHost{d.host, d.devices, later.post, d.log}, d.speaker.Answer, d.speaker.ClaimProgress, func(o speaker.Order, err error) {
		d.log.Error("cannot change a device", "vrrp", o.Router, "order", vrrp.Action{Verb: o.Verb}.String(), "err", err)
	})
	ready := make(chan error, 1)
	d.threads.Go(func() {
		ready <- goRealtime()
		if err := d.speaker.Run(); err != nil {
			d.mail.post(func() { d.failed = err })
		}
	})
	d.threads.Go(d.executor.run)
	d.threads.Go(func() { later.work(d.stopLater) })
	if d.realtime = <-ready; d.realtime != nil {
		d.log.Warn("adverts may be late on a busy machine", "err", d.realtime)
	}
}

// loop does what is posted until ctx is done or the VRRP loop fails.
func (d *Director) loop(ctx context.Context) {
	for d.failed == nil {
		select {
		case <-ctx.Done():
			return
		case <-d.mail.signal:
			d.readMail()
			d.forgetEnded()
		case <-d.repairTimer.C:
			if d.repairing {
				d.reconcile(d.host.Reconcile)
			} else {
				d.reconcile(d.host.Look)
			}
		case <-d.ticker.C:
			d.look(d.allInstances())
			d.host.Doubt()
			d.reconcile(d.host.Reconcile)
			d.dirty = true
		case <-d.opts.Reload:
			_, _ = d.reload(ctx) // the outcome is logged and in the status
		}
		d.balanceIfDirty()
		if path := d.upgradeTo; path != "" {
			d.upgradeTo = ""
			if err := d.replace(path); err != nil {
				d.log.Error("the upgrade failed; the old binary runs on", "err", err)
				d.publish(event.Event{Kind: event.KindDirector, Reason: "the upgrade failed: " + err.Error()})
			}
		}
	}
}

// readMail does what has been posted.
func (d *Director) readMail() {
	for _, f := range d.mail.take() {
		f()
	}
	d.lookAtNoted()
}

// ask runs f in the loop and waits for it; ctx bounds the wait.
func (d *Director) ask(ctx context.Context, f func()) error {
	done := make(chan struct{})
	d.mail.post(func() {
		if ctx.Err() == nil { // somebody waits for it still
			f()
			close(done)
		}
	})
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *Director) allInstances() []*instance {
	all := make([]*instance, 0, len(d.instances))
	for _, in := range d.instances {
		all = append(all, in)
	}
	return all
}

// reconcile puts back what somebody else changed about devices and addresses,
// and says when to look again.
func (d *Director) reconcile(look func() ([]netdev.Repair, error)) {
	repairs, err := look()
	d.repairing, d.reconciled = false, time.Now()
	d.repairTimer.Reset(untilNextLook(d.belongings(), d.host.Bare(), d.conf.Director.ReconcileInterval))
	d.reportFailure(err)
	for _, r := range repairs {
		d.log.Warn("repaired", "what", r.String())
		d.publish(event.Event{Kind: event.KindRepair, Subject: r.Device, Reason: r.Text})
	}
	d.tellMissing()
}

// complain says why devices cannot be reconciled, once. A MASTER whose addresses
// cannot be put back at the second look either has them no more: another
// director shall have them.
func (d *Director) reportFailure(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != d.unrepaired && err != nil {
		d.log.Error("cannot reconcile the devices; it is tried again", "err", err)
	}
	d.unrepaired = text
	failed := netdev.FailedDevices(err)
	for _, in := range d.instances {
		for _, name := range namesOf(&in.conf) {
			switch problem := failed[name]; {
			case problem == nil:
			case d.failing[name]:
				d.tell(in, vrrp.ClaimLost{Problem: problem.Error()})
			default:
				d.repairWithin(repairPause)
			}
		}
	}
	clear(d.failing)
	for name := range failed {
		d.failing[name] = true
	}
}

// sweep removes what a former run left and the configuration does not want.
func (d *Director) sweep() {
	repairs, err := d.host.Sweep()
	if err != nil {
		d.log.Error("cannot remove what a former run left", "err", err)
	}
	for _, r := range repairs {
		d.log.Warn("cleaned up after a former run", "what", r.String())
	}
}

// balanceIfDirty brings IPVS to what is wanted, if that may have changed.
func (d *Director) balanceIfDirty() {
	if !d.dirty {
		return
	}
	d.dirty = false
	err := d.balance.apply()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != d.ipvsError {
		d.ipvsError = text
		if err != nil {
			d.log.Error("ipvs is not as it should be; it is tried again", "err", err)
		}
	}
}
