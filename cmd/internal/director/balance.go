package director

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"holdfast/checker"
	"holdfast/conf"
	"holdfast/lvs"
)

// ipvsTable is the kernel's IPVS of one network namespace.
type ipvsTable interface {
	lvs.Kernel
	// Usage is Dump with what was counted.
	Usage() ([]lvs.Usage, error)
	SyncDaemons() ([]lvs.SyncDaemon, error)
	ApplySync(want []lvs.SyncDaemon) ([]lvs.SyncOp, error)
	Timeouts() (lvs.Timeouts, error)
	SetTimeouts(lvs.Timeouts) error
	Sysctl(name string) (string, error)
	SetSysctl(name, value string) error
	Close()
}

// A balancer keeps the IPVS table, and the sync daemons, as the configuration,
// the checks and the mastership of groups want them. It belongs to the
// director's loop.
type balancer struct {
	log      *slog.Logger
	table    *lvs.Table
	kernel   ipvsTable    // nil until services or sync are configured
	applier  *lvs.Applier // nil with kernel
	memory   *ipvsState   // what outlives the process
	services map[string]conf.Service
	sync     lvs.SyncConfig // Interface "": none
	timeouts lvs.Timeouts   // zero: the kernel's are left alone
	sysctls  map[string]string
	via      *viaTable // servers that are checked at the address of their service
	ways     viaWays
	masters  map[string]bool
	foreign  []lvs.Key       // services of other programs
	adopted  bool            // the table has taken over the servers that the kernel used
	failing  map[string]bool // changes that failed the last time, to log each once
	changed  func(lvs.Report)
}

func newBalancer(log *slog.Logger, memory *ipvsState, changed func(lvs.Report)) *balancer {
	return &balancer{
		log: log, table: lvs.NewTable(), memory: memory, changed: changed,
		services: map[string]conf.Service{}, via: &viaTable{}, ways: newViaWays(), masters: map[string]bool{}, failing: map[string]bool{},
	}
}

// needsIPVS reports whether a configuration has anything for IPVS.
func needsIPVS(c *conf.Config) bool {
	balanced := func(s conf.Service) bool { return s.Active != lvs.ActiveNever }
	return slices.ContainsFunc(c.Services, balanced) || c.LVS.Sync.Interface != ""
}

// attach gives the balancer the kernel's table. What the table holds of a
// former run, or of a configuration that a reload replaced, is ours.
func (b *balancer) attach(kernel ipvsTable) {
	b.kernel = kernel
	b.applier = lvs.NewApplier(kernel, b.memory.Services(), b.memory.SetServices)
}

// configure takes a new configuration over and returns the checks for it. A
// server that the kernel has in use already starts as being up.
func (b *balancer) configure(c *conf.Config) ([]checker.Config, error) {
	checks := c.Checks()
	b.services = make(map[string]conf.Service, len(c.Services))
	for _, s := range c.Services {
		b.services[s.Name] = s
	}
	if err := b.table.Configure(serviceConfigs(c)); err != nil {
		return nil, err
	}
	b.via = b.via.assign(c, checks)
	b.sync, b.timeouts, b.sysctls = c.LVS.Sync, lvs.Timeouts(c.LVS.Timeouts), c.LVS.Sysctls
	b.adopted = false
	if err := b.adopt(); err != nil {
		b.log.Warn("cannot see which servers IPVS uses", "err", err) // apply tries again
	}
	for i := range checks {
		checks[i].InitiallyUp = b.table.Health(ref(checks[i].Server)) == lvs.Up
	}
	return checks, nil
}

// adopt takes over the servers that the kernel uses, once after each configure.
// Before that the table must not be applied: it would take them out of service.
func (b *balancer) adopt() error {
	if b.adopted || b.kernel == nil {
		return nil
	}
	have, err := b.kernel.Dump()
	if err != nil {
		return fmt.Errorf("read the IPVS table: %w", err)
	}
	b.table.Adopt(have)
	b.adopted = true
	return nil
}

// ref returns the server that a check's ID names.
func ref(checkID string) lvs.Ref {
	service, server, _ := strings.Cut(checkID, "/")
	return lvs.Ref{Service: service, Server: server}
}

// setMaster notes whether a group or instance is MASTER, and reports whether
// the table or the sync daemons depend on that.
func (b *balancer) setMaster(name string, master bool) bool {
	matters := b.table.SetMaster(name, master) || (b.sync.Follow == name && b.masters[name] != master)
	b.masters[name] = master
	return matters
}

// ipvsFaults are the parts of IPVS that are not as they should be; nil is well.
type ipvsFaults struct {
	table error // services, servers, timeouts and sysctls
	sync  error // sync daemons
}

// apply makes the kernel hold what is wanted. A part that fails does not stop the
// others.
func (b *balancer) apply() ipvsFaults {
	if b.kernel == nil {
		return ipvsFaults{}
	}
	// The sysctls come first: a sync daemon reads some of them when it starts.
	return ipvsFaults{table: errors.Join(b.applySysctls(), b.applyTable(), b.applyTimeouts(), b.applyVia()), sync: b.applySync()}
}

func (b *balancer) applyTable() error {
	if err := b.adopt(); err != nil {
		return err
	}
	report, err := b.applier.Apply(slices.Concat(b.table.Keys(), b.via.keys()), slices.Concat(b.table.Wanted(), b.via.wanted()))
	if err == nil {
		b.foreign = report.Foreign
	}
	b.report(report)
	return errors.Join(err, report.Err())
}

// applyTimeouts sets the connection timeouts that are configured. What the
// kernel had before anybody configured one is remembered, over a crash too,
// and put back when none is configured any more.
func (b *balancer) applyTimeouts() error {
	former := b.memory.Timeouts()
	if b.timeouts == (lvs.Timeouts{}) && former == (lvs.Timeouts{}) {
		return nil
	}
	now, err := b.kernel.Timeouts()
	if err != nil {
		return fmt.Errorf("read the IPVS timeouts: %w", err)
	}
	if former == (lvs.Timeouts{}) {
		former = now
		if err := b.memory.SetTimeouts(former); err != nil {
			return fmt.Errorf("save the former IPVS timeouts: %w", err)
		}
	}
	want := lvs.Timeouts{
		TCP:    cmp.Or(b.timeouts.TCP, former.TCP),
		TCPFin: cmp.Or(b.timeouts.TCPFin, former.TCPFin),
		UDP:    cmp.Or(b.timeouts.UDP, former.UDP),
	}
	if now != want {
		if err := b.kernel.SetTimeouts(want); err != nil {
			return fmt.Errorf("set the IPVS timeouts: %w", err)
		}
		b.log.Info("ipvs timeouts", "tcp", want.TCP, "tcpfin", want.TCPFin, "udp", want.UDP)
	}
	if b.timeouts == (lvs.Timeouts{}) {
		return b.memory.SetTimeouts(lvs.Timeouts{})
	}
	return nil
}

// preview returns what a configuration would change in the kernel now.
func (b *balancer) preview(c *conf.Config) ([]lvs.Op, error) {
	if b.kernel == nil {
		return nil, nil
	}
	table := b.table.Clone()
	if err := table.Configure(serviceConfigs(c)); err != nil {
		return nil, err
	}
	have, err := b.kernel.Dump()
	if err != nil {
		return nil, fmt.Errorf("read the IPVS table: %w", err)
	}
	table.Adopt(have)
	via := b.via.assign(c, c.Checks())
	return b.applier.Preview(slices.Concat(table.Keys(), via.keys()), slices.Concat(table.Wanted(), via.wanted()))
}

// pending returns the changes of servers that the kernel still needs.
func (b *balancer) pending(refs []lvs.Ref) []lvs.Op {
	if b.kernel == nil {
		return nil
	}
	ops, err := b.applier.Preview(b.table.Keys(), b.table.Wanted())
	if err != nil {
		return nil // the table was read a moment ago
	}
	return slices.DeleteFunc(ops, func(o lvs.Op) bool {
		return !slices.ContainsFunc(refs, func(r lvs.Ref) bool { return b.table.Concerns(&o, r) })
	})
}

func serviceConfigs(c *conf.Config) []lvs.ServiceConfig {
	list := make([]lvs.ServiceConfig, len(c.Services))
	for i := range c.Services {
		list[i] = c.Services[i].ServiceConfig
	}
	return list
}

// logEach is how many changes or failures of one look at the table are logged one by
// one. Of more than that, which come of a configuration or a flush of the table, the
// log has the number.
const logEach = 100

// report logs what was changed and what could not be changed, each failure once, and
// hands it on.
func (b *balancer) report(report lvs.Report) {
	b.logChanges(report.Changes)
	failing := make(map[string]bool, len(report.Failed))
	news := 0
	for _, f := range report.Failed {
		failing[f.Error()] = true
		if b.failing[f.Error()] {
			continue
		}
		if news++; news <= logEach {
			b.log.Error("ipvs not changed", "err", f)
		}
	}
	if news > logEach {
		b.log.Error("ipvs not changed: more changes failed", "failed", news, "logged", logEach)
	}
	b.failing = failing
	if len(report.Changes) > 0 || len(report.Failed) > 0 {
		b.changed(report)
	}
}

func (b *balancer) logChanges(changes []lvs.Change) {
	numbers := map[bool]int{} // by drift
	for _, c := range changes {
		if numbers[c.Drift]++; len(changes) > logEach {
			continue
		}
		msg := "ipvs changed"
		if c.Drift {
			msg = "ipvs repaired: somebody had changed it"
		}
		b.log.Info(msg, "op", c.Op.String())
	}
	if len(changes) > logEach {
		b.log.Info("ipvs changed", "changes", numbers[false], "repairs", numbers[true])
	}
}

// applySync brings the sync daemons to what is wanted. If none is configured, only a
// daemon that we have started is stopped, or that a former run has.
func (b *balancer) applySync() error {
	if b.sync.Interface == "" {
		return b.stopSync()
	}
	if err := b.memory.SetSync(true); err != nil {
		return fmt.Errorf("note that the IPVS sync daemons are ours: %w", err)
	}
	return b.syncTo(b.sync.Wanted(b.masters[b.sync.Follow]))
}

// stopSync stops our sync daemons.
func (b *balancer) stopSync() error {
	if !b.memory.Sync() {
		return nil
	}
	if err := b.syncTo(nil); err != nil {
		return err
	}
	return b.memory.SetSync(false)
}

func (b *balancer) syncTo(want []lvs.SyncDaemon) error {
	done, err := b.kernel.ApplySync(want)
	for _, op := range done {
		b.log.Info("ipvs sync daemon", "op", op.String())
	}
	if err != nil {
		return fmt.Errorf("set the IPVS sync daemons: %w", err)
	}
	return nil
}

// status returns the services and the sync daemons in the kernel, and what of that
// could not be read.
func (b *balancer) status() ([]lvs.ServiceStatus, []lvs.SyncDaemon, ipvsFaults) {
	if b.kernel == nil {
		return b.table.Status(nil), nil, ipvsFaults{}
	}
	var faults ipvsFaults
	usage, err := b.kernel.Usage()
	if err != nil {
		faults.table = fmt.Errorf("read the IPVS table: %w", err)
	}
	daemons, err := b.kernel.SyncDaemons()
	if err != nil {
		faults.sync = fmt.Errorf("read the IPVS sync daemons: %w", err)
	}
	return b.table.Status(b.via.others(usage)), daemons, faults
}

// stop leaves the table as the configuration wants it left.
func (b *balancer) stop(onStop conf.OnStop) error {
	if b.kernel == nil {
		return nil
	}
	var errs []error
	if onStop == conf.Clear {
		report, err := b.applier.Apply(nil, nil)
		errs = append(errs, err, report.Err())
	}
	b.timeouts, b.sysctls, b.via = lvs.Timeouts{}, nil, &viaTable{}
	errs = append(errs, b.stopSync(), b.applyTimeouts(), b.applySysctls(), b.applyVia())
	b.kernel.Close()
	return errors.Join(errs...)
}
