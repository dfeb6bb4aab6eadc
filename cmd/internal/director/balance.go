package director

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"holdfast/checker"
	"holdfast/conf"
	"holdfast/lvs"
)

// ipvsTable is the kernel's IPVS of one network namespace.
type ipvsTable interface {
	lvs.Kernel
	// Usage is Dump with what was counted.
	Usage() ([]lvs.Usage, error)
	Daemons() ([]lvs.SyncDaemon, error)
	DoSync(lvs.SyncOp) error
	Close() error
}

// A balancer keeps the IPVS table, and the sync daemons, as the configuration,
// the checks and the mastership of groups want them. It belongs to the
// director's loop.
type balancer struct {
	log      *slog.Logger
	table    *lvs.Table
	kernel   ipvsTable    // nil until services or sync are configured
	applier  *lvs.Applier // nil with kernel
	memory   *memory      // what outlives the process
	services map[string]conf.Service
	sync     lvs.SyncConfig // Interface "": none
	syncOurs bool           // we have started a daemon since the start
	masters  map[string]bool
	failing  map[string]bool // changes that failed the last time, to say each once
	changed  func(lvs.Report)
}

func newBalancer(log *slog.Logger, memory *memory, changed func(lvs.Report)) *balancer {
	return &balancer{
		log: log, table: lvs.NewTable(), memory: memory, changed: changed,
		services: map[string]conf.Service{}, masters: map[string]bool{}, failing: map[string]bool{},
	}
}

// needsIPVS reports whether a configuration has anything for IPVS.
func needsIPVS(c *conf.Config) bool { return len(c.Services) > 0 || c.LVS.Sync.Interface != "" }

// attach gives the balancer the kernel's table. What the table holds of a
// former run, or of a configuration that a reload replaced, is ours.
func (b *balancer) attach(kernel ipvsTable) {
	b.kernel = kernel
	b.applier = lvs.NewApplier(kernel, b.memory.Keys())
}

// configure takes a new configuration over and returns the checks for it. A
// server that the kernel has in use already starts as being up.
func (b *balancer) configure(c *conf.Config) ([]checker.Config, error) {
	var services []lvs.ServiceConfig
	var checks []checker.Config
	b.services = make(map[string]conf.Service, len(c.Services))
	for _, s := range c.Services {
		services = append(services, s.ServiceConfig)
		checks = append(checks, s.Checks()...)
		b.services[s.Name] = s
	}
	if err := b.table.Configure(services); err != nil {
		return nil, err
	}
	b.sync = c.LVS.Sync
	if b.kernel == nil {
		return checks, nil
	}
	have, err := b.kernel.Dump()
	if err != nil {
		return nil, fmt.Errorf("read the ipvs table: %w", err)
	}
	b.table.Adopt(have)
	for i := range checks {
		checks[i].InitiallyUp = b.table.Health(ref(checks[i].ID)) == lvs.Up
	}
	return checks, nil
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

// apply brings the kernel to what is wanted.
func (b *balancer) apply() error {
	if b.kernel == nil {
		return nil
	}
	if b.applier.Claim(b.table.Keys()) {
		if err := b.memory.SetKeys(b.applier.Owned()); err != nil {
			b.log.Warn("cannot remember which virtual services are ours", "err", err)
		}
	}
	report, err := b.applier.Apply(b.table.Wanted())
	if err != nil {
		return err
	}
	b.tell(report)
	return errors.Join(report.Err(), b.applySync())
}

// tell logs what was changed, and what could not be, each failure once.
func (b *balancer) tell(report lvs.Report) {
	for _, c := range report.Changes {
		msg := "ipvs changed"
		if c.Drift {
			msg = "ipvs repaired: somebody had changed it"
		}
		b.log.Info(msg, "op", c.Op.String())
	}
	failing := make(map[string]bool, len(report.Failed))
	for _, f := range report.Failed {
		failing[f.Error()] = true
		if !b.failing[f.Error()] {
			b.log.Error("ipvs not changed", "err", f)
		}
	}
	b.failing = failing
	if len(report.Changes) > 0 || len(report.Failed) > 0 {
		b.changed(report)
	}
}

// applySync brings the sync daemons to what is wanted. Daemons that were
// running before, when none is configured, are somebody else's.
func (b *balancer) applySync() error {
	var want []lvs.SyncDaemon
	switch {
	case b.sync.Interface != "":
		want = b.sync.Wanted(b.masters[b.sync.Follow])
	case !b.syncOurs:
		return nil
	}
	return b.syncTo(want)
}

func (b *balancer) syncTo(want []lvs.SyncDaemon) error {
	have, err := b.kernel.Daemons()
	if err != nil {
		return fmt.Errorf("ask for the ipvs sync daemons: %w", err)
	}
	var errs []error
	for _, op := range lvs.PlanSync(have, want) {
		b.syncOurs = true
		if err := b.kernel.DoSync(op); err != nil {
			errs = append(errs, fmt.Errorf("%v: %w", op, err))
			continue
		}
		b.log.Info("ipvs sync daemon", "op", op.String())
	}
	return errors.Join(errs...)
}

// status returns what the kernel holds, joined with what is known.
func (b *balancer) status() ([]lvs.ServiceStatus, []lvs.SyncDaemon, error) {
	if b.kernel == nil {
		return nil, nil, nil
	}
	usage, err := b.kernel.Usage()
	if err != nil {
		return b.table.Status(nil), nil, fmt.Errorf("read the ipvs table: %w", err)
	}
	daemons, err := b.kernel.Daemons()
	if err != nil {
		err = fmt.Errorf("ask for the ipvs sync daemons: %w", err)
	}
	return b.table.Status(usage), daemons, err
}

// stop leaves the table as the configuration wants it left.
func (b *balancer) stop(onStop conf.OnStop) error {
	if b.kernel == nil {
		return nil
	}
	var errs []error
	if onStop == conf.Clear {
		if err := b.table.Configure(nil); err != nil {
			errs = append(errs, err)
		}
		b.applier.Claim(nil)
		report, err := b.applier.Apply(nil)
		errs = append(errs, err, report.Err(), b.memory.SetKeys(b.applier.Owned()))
	}
	if b.syncOurs {
		errs = append(errs, b.syncTo(nil))
	}
	return errors.Join(append(errs, b.kernel.Close())...)
}
