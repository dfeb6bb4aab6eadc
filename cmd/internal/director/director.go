package director

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"holdfast/cmd/internal/bfd"
	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/program"
	"holdfast/cmd/internal/status"
	"holdfast/cmd/internal/web"
	"holdfast/conf"
	"holdfast/netdev"
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
	// Ready is called once everything is up. It may be nil.
	Ready func()
	// Manager is told how the daemon is; nil: nobody wants to know.
	Manager ServiceManager
	// EarlySpeaker sends adverts for what the former binary was MASTER of; nil if there
	// was none.
	EarlySpeaker *EarlySpeaker
	// Reload gets a value for every reload that is asked for by a signal (SIGHUP).
	Reload <-chan struct{}
	// Busy is called when a reload begins; what it returns is called when the reload ends.
	// nil: nobody wants to know.
	Busy func() (end func())
	// IPVSRecord is the path of a file. If it is given, the IPVS table is one in memory,
	// which writes its changes to that file; the kernel's is left alone.
	IPVSRecord string
}

// A Director runs one configuration. All fields belong to its loop.
type Director struct {
	opts    Options
	log     *slog.Logger
	started time.Time
	mail    *mailbox
	threads sync.WaitGroup // all goroutines of the director and its subsystems
	ticker  *time.Ticker   // has everything looked at, whether or not an event was about it

	locked  *lockedDir
	host    *netdev.Host
	events  *event.Bus
	journal *event.Journal
	// eventFile keeps the journal in a file.
	eventFile *eventFile
	// published are the states that subscribers of events know of.
	published publishedStates
	api       *control.API // nil before open
	page      *web.Page
	socket    *controlSocket
	listeners *listeners
	files     *upgradeFiles

	// subsystems are all that there are, in the order in which they are applied;
	// those that others speak to have a name too.
	subsystems []subsystem
	outlets    *outlets
	bus        *busService
	bfd        *bfdSessions
	fast       *fastSessions
	services   *virtualServices
	preemption *preemption
	trackers   *trackers
	resources  *resources
	hardware   *hardwareWatchdog
	traps      *monTraps
	routers    *routers
	rivals     *rivals
	problems   *problems
	alerts     *alerts
	conflicts  *conflicts
	metrics    *metricsEndpoint

	conf     *conf.Config // nil until the first is applied
	loaded   time.Time
	reloaded reloadResult
	// reloads and reloadsRefused count reloads, and upgrades the binaries that took
	// over, all since the first of these binaries was started.
	reloads, reloadsRefused, upgrades uint64

	reloading chan struct{} // has an element while a reload runs
	load      func(context.Context, string) (*conf.Config, conf.Errors, error)
	inherited upgradeState // what the former binary saved
	upgradeTo string       // path of the binary that is to replace this one; "": none
}

// journalSize is how many events are kept for `holdfast events`.
const journalSize = 4096

type reloadResult struct {
	at  time.Time
	err error
}

// Run runs the director until ctx is done, and then stops it cleanly. An error
// says why it could not start, or what could not be put back at the end.
func Run(ctx context.Context, o Options) error {
	d := newDirector(o)
	var err error
	if err := checkRuntimeDir(o.Config.Director.RuntimeDir); err != nil {
		return err
	}
	if d.inherited, err = readUpgradeState(o.Config.Director.RuntimeDir); err != nil {
		d.log.Warn("starting anew", "err", err)
	}
	if d.inherited.At != 0 {
		// A program of a tracker or check would run beside the next one, without its timeout.
		if err := program.Inherit(d.inherited.ProgramEnds, d.inherited.watched(), isOrphan); err != nil {
			d.log.Warn("scripts that the former binary started are not watched", "err", err)
		}
	}
	if err := d.open(ctx); err != nil {
		return errors.Join(err, d.close())
	}
	d.applyConf(o.Config)
	d.opts.Config = &conf.Config{Director: o.Config.Director} // a reload replaces the rest
	d.opts.EarlySpeaker.end()
	d.routers.repair.reconcile(d.host.Reconcile)
	_ = d.routers.sweep() // it is logged, and the host tries again
	d.outlets.goOn()
	d.outlets.begin(d.inherited.At != 0)
	d.restoreHistory()
	d.socket.serve()
	if o.Ready != nil {
		o.Ready()
	}
	d.log.Info("holdfast is up", "version", o.Version, "director", o.Config.Director.Name,
		"instances", len(o.Config.VRRP), "services", len(o.Config.Services))
	running, stop := context.WithCancel(ctx)
	d.threads.Go(func() { d.watchdog().run(running) })
	d.threads.Go(func() { d.reloadOnSignal(running) })
	d.loop(ctx)
	stop()
	return errors.Join(d.routers.failed, d.stop(), d.close())
}

func newDirector(o Options) *Director {
	if o.Manager == nil {
		o.Manager = noManager{}
	}
	return &Director{
		opts: o, log: o.Log, published: publishedStates{states: map[[2]string]string{}}, started: time.Now(), loaded: time.Now(), mail: newMailbox(),
		reloading: make(chan struct{}, 1), load: conf.LoadContext,
	}
}

// open acquires everything that can be refused, before anything is changed.
func (d *Director) open(ctx context.Context) error {
	if err := netdev.Preflight(); err != nil {
		return err
	}
	if err := d.openHost(); err != nil {
		return err
	}
	d.openJournal()
	d.page = web.New(web.Options{Status: backend{d}.Status, Journal: d.journal, Log: d.log})
	d.metrics = &metricsEndpoint{base: d.base()}
	d.api = d.newAPI()
	d.socket = d.newSocket()
	if err := d.socket.open(); err != nil {
		return err
	}
	d.files = d.newUpgradeFiles()
	d.ticker = time.NewTicker(d.opts.Config.Director.ReconcileInterval)
	d.list()
	for _, s := range d.subsystems {
		if err := s.open(); err != nil {
			return err
		}
	}
	for _, s := range d.subsystems {
		s.restore(&d.inherited)
	}
	return d.admit(ctx, d.opts.Config)
}

// openHost locks the runtime directory, and opens the devices of the host.
func (d *Director) openHost() error {
	dir := d.opts.Config.Director.RuntimeDir
	var err error
	if d.locked, err = lockRuntimeDir(dir, d.log); err != nil {
		return err
	}
	if d.host, err = netdev.OpenHost(netdev.Options{RuntimeDir: dir}); err != nil {
		return fmt.Errorf("open the host's devices: %w", err)
	}
	if err := d.host.Damaged(); err != nil {
		d.log.Error("sysctls that an earlier run has changed will not be put back", "err", err)
	}
	d.routers = newRouters(d.base(), d.host, d)
	d.routers.workUntil = d.workUntil
	return nil
}

// list makes the subsystems, and the bus that gives them events. The order is that
// of start: outlets first, so that they get the events of the others; trackers after
// the services and sessions that they ask; routers last, when all faults and
// priorities are known.
func (d *Director) list() {
	b, dir := d.base(), d.opts.Config.Director.RuntimeDir
	d.outlets = &outlets{base: b, scripts: d.scriptsFor, stateText: d.stateText, flush: d.readMail, allStates: d.states}
	d.bus = &busService{base: b, director: busDirector{backend{d}}, routers: d.routers}
	d.bfd = &bfdSessions{base: b}
	d.fast = newFastSessions(b)
	d.fast.sessions = func() *bfd.Speaker { return d.bfd.speaker }
	d.fast.vrrp = func() *speaker.Speaker { return d.routers.speaker }
	d.fast.realtime = func() error { return d.routers.realtime }
	d.fast.instances = func() map[string]*instance { return d.routers.instances }
	d.services = newVirtualServices(b, dir)
	if path := d.opts.IPVSRecord; path != "" {
		d.services.kernel = recordIPVS(path)
	}
	d.preemption = newPreemption(b)
	d.trackers = &trackers{base: b, dir: dir, crashed: len(d.host.Left()) > 0, routers: d.routers}
	d.rivals = &rivals{base: b, instance: d.routers.instance, about: d.eventInstance, known: map[string]*rivalry{}}

	d.hardware = newHardwareWatchdog(b)
	d.traps = d.monTraps(b)
	d.hardware.pulse = d.pulse
	d.hardware.problems = func(all []status.Problem) { d.problems.set("watchdog", all) }
	d.resources = newResources(b, dir, d.routers.gate)
	d.resources.fault, d.resources.workUntil = d.routers.setResourceFault, d.workUntil
	d.resources.problems = func(all []status.Problem) { d.problems.set("resources", all) }
	d.routers.released = d.resources.released

	d.services.tracked = d.trackers.serviceChanged
	d.bfd.verdict = func(session string, v bfd.Verdict, reason string) {
		d.trackers.sessionChanged(session, v, reason)
		d.services.tools.sessionChanged(session, v, reason)
	}
	d.trackers.reportOthers = func() { d.services.reportAll(); d.bfd.reportAll() }
	d.preemption.undecided = func() int { return d.services.checks.Undecided() }
	d.preemption.syncFailed = func() bool { return d.services.faults.sync != nil }
	d.preemption.stillHeld = d.routers.isHeldBack
	d.preemption.hold, d.routers.preempt = d.routers.holdPreempt, d.preemption.event
	d.routers.trackers, d.routers.early, d.routers.ride = d.trackers, d.opts.EarlySpeaker, d.bfd.ride

	links := &linkWatch{base: b, changed: d.linkChanged}
	d.problems = &problems{base: b}
	d.alerts = newAlerts(b, dir)
	d.services.failure = d.alerts.failedCheck
	d.services.tools.ran, d.services.tools.lapsed = d.alerts.ranMonitor, d.alerts.trapLapsed
	d.alerts.problems = func(all []status.Problem) { d.problems.set("alerts", all) }
	d.services.problems = func(all []status.Problem) { d.problems.set("ipvs", all) }
	d.routers.problems = func(all []status.Problem) { d.problems.set("paths", all) }
	d.trackers.problems = func(all []status.Problem) { d.problems.set("trackers", all) }
	d.socket.problems = func(all []status.Problem) { d.problems.set("socket", all) }
	d.bfd.problems = func(all []status.Problem) { d.problems.set("bfd", all) }
	d.bfd.realtime = func() error { return d.routers.realtime }
	d.listeners = &listeners{base: b, api: d.api, problems: func(all []status.Problem) { d.problems.set("listen", all) }}
	d.conflicts = &conflicts{base: b, routers: d.routers, links: links, problems: d.problems}
	d.routers.repair.failed = func(err error) {
		d.problems.set("repair", objectProblems(err, d.routers.instanceOf))
		d.conflicts.repaired()
	}

	d.subsystems = []subsystem{
		d.eventFile, // the last that is closed: its file has what the others say at the end
		d.outlets,
		&managed{base: b, manager: d.opts.Manager, text: d.summary},
		&snmpAgent{base: b, routers: d.vrrpStatusSoon},
		d.bus,
		d.bfd,
		d.fast,
		d.problems,
		d.alerts,
		links,
		d.conflicts,
		&settingsWatch{base: b, host: d.host, concern: d.routers.repair.concern},
		&routeWatch{base: b, host: d.host, repair: d.routers.repair.within, changed: d.trackers.routeChanged, moved: d.services.routesMoved},
		d.services,
		d.preemption,
		d.trackers,
		d.resources,
		d.routers,
		d.rivals,
		&statusPage{base: b, page: d.page},
		d.hardware,
		d.listeners,
		d.traps,
		d.metrics,
	}
	subscribers := []func(*event.Event){d.journal.Handle, d.published.handle} // the journal first: it numbers the event
	for _, s := range d.subsystems {
		subscribers = append(subscribers, s.handle)
	}
	d.events = event.NewBus(subscribers...)
}

func (d *Director) monTraps(b base) *monTraps {
	return &monTraps{base: b, receive: d.services.tools.traps.Receive, problems: func(all []status.Problem) { d.problems.set("mon traps", all) }}
}

// linkChanged passes on a change of an interface or address.
func (d *Director) linkChanged(e *netdev.Event) {
	d.trackers.linkChanged(e)
	d.services.routesMoved()
	d.bfd.linkChanged(e)
	d.routers.linkChanged(e)
	d.conflicts.heed(e)
	d.listeners.linkChanged(e)
}

// loop does what is posted until ctx is done or the VRRP loop fails.
func (d *Director) loop(ctx context.Context) {
	for !d.routers.loopEnded() {
		select {
		case <-ctx.Done():
			return
		case <-d.mail.signal:
			d.readMail()
			d.routers.forgetEnded()
		case <-d.routers.repair.timer.C:
			d.routers.repair.due()
		case <-d.ticker.C:
			d.routers.lookAll()
			d.routers.repair.everything()
			d.conflicts.lookAtFirewall()
			d.services.tick()
			d.listeners.tick()
			d.fast.tick()
		}
		d.services.reconcile()
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
	d.routers.lookAtNoted()
}

// workUntil reads mail until something is done; it reports false if that takes
// longer than limit.
func (d *Director) workUntil(done func() bool, limit time.Duration) bool {
	late := time.NewTimer(limit)
	defer late.Stop()
	for !done() {
		select {
		case <-d.mail.signal:
			d.readMail()
		case <-late.C:
			return false
		}
	}
	return true
}

// ask runs f in the loop and waits for it; ctx bounds the wait.
func (d *Director) ask(ctx context.Context, f func()) error {
	done := make(chan struct{})
	d.mail.post(func() {
		if ctx.Err() == nil { // the caller still waits
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
