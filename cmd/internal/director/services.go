package director

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/checker"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/lvs"
	"holdfast/lvs/ipvs"
	"holdfast/lvs/recorder"
)

// openIPVSTimeout bounds the wait for the kernel to load the IPVS module.
const openIPVSTimeout = 10 * time.Second

// A virtualServices is the subsystem of the virtual services: the checks say which
// servers are well, and the balancer keeps the kernel's IPVS table accordingly.
type virtualServices struct {
	base
	balance *balancer
	checks  *checker.Set
	tools   checkTools // that checks use
	// kernel opens the kernel's IPVS table, once a configuration needs it.
	kernel func(context.Context, *slog.Logger) (ipvsTable, error)
	// tracked is called for a service that changed, or one of its servers.
	tracked func(s *conf.Service, view serverView)
	// failure is called in any goroutine after each failed check of a server.
	failure func(server string, r checker.Result)
	// problems replaces the problems of services.
	problems func([]status.Problem)

	conf    *conf.Config // nil until the first apply
	dirty   bool         // the table may have to change
	faults  ipvsFaults   // of the last reconcile
	repairs uint64       // changes that others had made to our part of the table
	fights  contention
	timer   *time.Timer       // for what the table does at a time
	causes  map[string]string // what changed since the last step, by service
	orders  *savedOrders
	files   *maintenance
	ending  bool               // the daemon stops
	unsent  map[lvs.Ref]string // why the checks of servers cannot be sent
	said    map[lvs.Ref]string // UP or DOWN, as the latest event of a server that waits for another one says
}

// newVirtualServices returns the subsystem with what a former run left in IPVS.
func newVirtualServices(b base, dir string) *virtualServices {
	memory, err := readIPVSState(dir)
	if err != nil {
		b.log.Warn("what a former run left in IPVS is not known", "err", err)
	}
	v := &virtualServices{base: b, kernel: openIPVS, fights: contention{}, said: map[lvs.Ref]string{}, unsent: map[lvs.Ref]string{}, causes: map[string]string{}, orders: readOrders(dir, b.log)}
	v.balance = newBalancer(b.log, memory, v.changed)
	v.timer = time.AfterFunc(time.Hour, func() { v.post(func() { v.dirty = true }) })
	v.timer.Stop()
	v.files = newMaintenance(b)
	v.files.found, v.files.unknown = v.maintain, func(f lvs.Files) []string { return v.balance.table.Unused(f) }
	return v
}

func openIPVS(ctx context.Context, log *slog.Logger) (ipvsTable, error) { return ipvs.Open(ctx, log) }

// recordIPVS opens a table in memory instead, which records its changes in a file.
func recordIPVS(path string) func(context.Context, *slog.Logger) (ipvsTable, error) {
	return func(_ context.Context, log *slog.Logger) (ipvsTable, error) {
		log.Warn("the IPVS table is one in memory: nothing is balanced", "record", path)
		return recorder.Open(path)
	}
}

func (v *virtualServices) open() error {
	v.checks = checker.New(checker.Options{
		Log:       v.log,
		OnChange:  func(c checker.Change) { v.post(func() { v.verdict(c) }) },
		OnFailure: v.failure,
		Tools:     v.tools.open(),
	})
	return nil
}

// admit opens the IPVS table if the configuration needs it, or to put back what a
// former run left there.
func (v *virtualServices) admit(ctx context.Context, c *conf.Config) error {
	if v.balance.kernel != nil || !needsIPVS(c) && !v.balance.memory.left() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, openIPVSTimeout)
	defer cancel()
	kernel, err := v.kernel(ctx, v.log)
	if err != nil && !needsIPVS(c) {
		v.log.Warn("what a former run left in IPVS stays", "err", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("the configuration needs IPVS: %w", err)
	}
	v.balance.attach(kernel)
	return nil
}

// apply gives the table and the checks the services of a configuration.
func (v *virtualServices) apply(c *conf.Config) {
	v.conf, v.dirty = c, true
	v.tools.apply(c)
	v.checks.SetLimit("external", c.Director.MaxCheckPrograms)
	if d := &c.Director; d.MaxChecks > 0 { // tests leave it out
		v.checks.Pace(d.MaxChecks, d.CheckSpread)
	}
	checks, err := v.balance.configure(c)
	if err != nil {
		v.log.Error("cannot take over the services", "err", err)
	} else if err := v.checks.Apply(checks); err != nil {
		v.log.Error("cannot take over the checks", "err", err)
	}
	v.forget(checks)
	for i := range c.Services {
		v.causes[c.Services[i].Name] = "the configuration changed"
	}
	v.files.apply(c.LVS.MaintenanceDir)
}

// routesMoved notes, in any goroutine, that the ways to servers may be others.
func (v *virtualServices) routesMoved() { v.balance.ways.stale.Store(true) }

// tick has everything looked at, whether or not an event was about it.
func (v *virtualServices) tick() {
	v.dirty = true
	v.files.look()
}

// restore has the table go on from what the former run, or the former binary, knew.
func (v *virtualServices) restore(u *upgradeState) {
	memory := u.LVS
	memory.Overrides = v.orders.content.Overrides
	v.balance.table.Recall(memory)
	v.tools.trapped = u.Traps
}

func (v *virtualServices) save(u *upgradeState) {
	u.LVS, u.Traps = v.balance.table.Memory(), v.tools.traps.Save()
}

// handle follows the mastership of instances and groups.
func (v *virtualServices) handle(e *event.Event) {
	if e.Kind == event.KindInstance || e.Kind == event.KindGroup {
		v.setMaster(e.Subject, e.To == event.Master)
	}
}

// setMaster notes whether an instance or group is MASTER.
func (v *virtualServices) setMaster(name string, master bool) {
	if v.balance.setMaster(name, master) {
		v.dirty = true
	}
}

// report gathers the checks while the kernel's table is read: the loop stands still for
// the longer of the two.
func (v *virtualServices) report(s *status.Status) {
	var checks sync.WaitGroup
	checks.Go(func() {
		s.Checks = v.checks.Status()
		timing := v.checks.Timing()
		s.CheckLateness, s.CheckDuration = timing.Lateness, timing.Duration
	})
	v.reportTable(s)
	checks.Wait()
}

func (v *virtualServices) reportTable(s *status.Status) {
	if len(v.conf.Services) == 0 && !needsIPVS(v.conf) && v.faults == (ipvsFaults{}) {
		return
	}
	services, daemons, unread := v.balance.status()
	s.LVS = &status.LVS{Error: errorText(cmp.Or(v.faults.table, unread.table)), Services: services, Repairs: v.repairs, RatesNote: ratesNote(services)}
	if c := v.conf.LVS.Sync; c.Interface != "" {
		s.LVS.Sync = &status.Sync{
			Interface: c.Interface, ID: int(c.ID), Follow: c.Follow, Roles: []string{},
			Error: errorText(cmp.Or(v.faults.sync, unread.sync)),
		}
		for _, daemon := range daemons {
			s.LVS.Sync.Roles = append(s.LVS.Sync.Roles, daemon.Role.String())
		}
	} else if v.faults.sync != nil { // a daemon of the former configuration cannot be stopped
		s.LVS.Error = errorText(errors.Join(v.faults.table, v.faults.sync))
	}
}

// ratesNote returns why the counters have no rates, or "".
func ratesNote(services []lvs.ServiceStatus) string {
	if slices.ContainsFunc(services, func(s lvs.ServiceStatus) bool { return s.Present && s.Counters.Rates == nil }) {
		return "the kernel does not estimate them while net.ipv4.vs.run_estimation is 0"
	}
	return ""
}

func (v *virtualServices) withdraw() {
	v.checks.Close()
	v.timer.Stop()
	v.sayDown()
}

// sayDown runs the programs for servers that go down, of those services that want that
// when the daemon stops. For everybody else nothing happens to the servers.
func (v *virtualServices) sayDown() {
	v.ending = true
	const reason = "the daemon stops"
	for i := range v.conf.Services {
		s := &v.conf.Services[i]
		if !s.Notify.DownAtStop {
			continue
		}
		for j := range s.Servers {
			r := lvs.Ref{Service: s.Name, Server: s.Servers[j].Name}
			if v.balance.table.Health(r) == lvs.Up {
				v.publish(event.Event{
					At: time.Now(), Kind: event.KindServer, Subject: r.String(), From: event.Up, To: event.Down, Reason: reason,
					Service: v.eventServer(r), NotJournaled: true,
				})
			}
		}
		if v.balance.table.ServiceHealth(s.Name) == lvs.Up {
			v.publish(event.Event{
				At: time.Now(), Kind: event.KindService, Subject: s.Name, From: event.Up, To: event.Down, Reason: reason,
				Service: v.eventService(s), NotJournaled: true,
			})
		}
	}
}

func (v *virtualServices) close() {
	v.files.close()
	v.tools.close()
}

func (v *virtualServices) stop() error { return v.balance.stop(v.conf.LVS.OnStop) }

// reconcile brings the table to what is wanted, if that may have changed.
func (v *virtualServices) reconcile() {
	if !v.dirty {
		return
	}
	v.dirty = false
	now := time.Now()
	v.step(now)
	former := v.faults
	v.faults = v.balance.apply()
	v.problems(slices.Concat(v.conflicts(now), checkWarnings(v.checks.Warnings()), unsentChecks(v.conf.Services, v.unsent), v.orders.save(v.balance.table), v.files.problems()))
	v.logFault("cannot bring IPVS to the wanted state; holdfast tries again", former.table, v.faults.table)
	v.logFault("cannot bring the IPVS sync daemons to the wanted state; holdfast tries again", former.sync, v.faults.sync)
}

// conflicts returns what other programs do to our services in the kernel.
func (v *virtualServices) conflicts(now time.Time) []status.Problem {
	var all []status.Problem
	add := func(s *conf.Service, format string, args ...any) {
		text := fmt.Sprintf("service %s: ", s.Name) + fmt.Sprintf(format, args...)
		all = append(all, status.Problem{Kind: "conflict-ipvs", Name: s.Name, Address: s.KeyText(), Text: text})
	}
	shadowed := v.balance.table.Shadowed(v.balance.foreign)
	for i := range v.conf.Services {
		s := &v.conf.Services[i]
		for _, port := range shadowed[s.Name] {
			add(s, "an IPVS service of another program gets the packets for port %d", port)
		}
		if slices.ContainsFunc(s.Keys(), func(k lvs.Key) bool { return v.fights.of(now, k.String()) }) {
			add(s, "another program keeps changing it in the kernel: %d repairs and more within %d minutes", contentionRepairs, int(contentionWindow.Minutes()))
		}
	}
	return all
}

// logFault logs an error unless the same one was logged before.
func (v *virtualServices) logFault(msg string, former, err error) {
	if err != nil && errorText(former) != err.Error() {
		v.log.Error(msg, "err", err)
	}
}

// errorText returns the text of an error, "" for nil.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// verdict takes over what the checks found of a server.
func (v *virtualServices) verdict(c checker.Change) {
	r := ref(c.ID)
	if v.balance.table.SetCheckWeight(r, c.Weight, c.WeightBy) {
		v.dirty = true
		v.causes[r.Service] = "the check " + c.WeightBy + " changes a weight"
		v.logWeight(&c)
	}
	health := lvs.Down
	if c.Up {
		health = lvs.Up
	}
	before := v.balance.table.Health(r)
	if v.balance.table.SetHealth(r, health) {
		v.dirty = true
		v.causes[r.Service] = c.ID + " is " + eventHealth(health)
	}
	if _, ok := v.balance.services[r.Service]; ok && v.isUnsent(r) != c.Unsent {
		if delete(v.unsent, r); c.Unsent {
			v.unsent[r] = c.Reason
		}
		v.dirty = true // step tells the trackers
		v.causes[r.Service] = cmp.Or(v.causes[r.Service], "checks cannot be sent")
	}
	v.announce(c, r, before)
}

// announce publishes what is new of a server. A server that only waits for another one
// has no event of its own: the other one has.
func (v *virtualServices) announce(c checker.Change, r lvs.Ref, before lvs.Health) {
	to := event.Down
	if c.Up {
		to = event.Up
	}
	from, waited := v.said[r]
	if !waited {
		from = eventHealth(before)
	}
	if c.Waits {
		v.said[r] = from
		v.log.Info("server is not asked", "server", c.ID, "reason", c.Reason)
		return
	}
	delete(v.said, r)
	if from != to {
		v.log.Info("server is "+strings.ToLower(to), "server", c.ID, "reason", c.Reason)
		v.publish(event.Event{
			At: c.At, Kind: event.KindServer, Subject: c.ID,
			From: from, To: to, Reason: c.Reason, Service: v.eventServer(r),
		})
	}
}

// A serverView is what trackers see of services and servers.
type serverView struct {
	health  func(lvs.Ref) lvs.Health
	service func(string) lvs.Health
	unsent  map[lvs.Ref]string // why the checks of a server cannot be sent
}

func (v *virtualServices) view() serverView {
	return serverView{v.balance.table.Health, v.balance.table.ServiceHealth, v.unsent}
}

func (v *virtualServices) isUnsent(r lvs.Ref) bool { _, is := v.unsent[r]; return is }

// forget drops what was said of servers that are not configured any more.
func (v *virtualServices) forget(checks []checker.Config) {
	if len(v.said)+len(v.unsent) == 0 {
		return
	}
	stays := make(map[lvs.Ref]bool, len(checks))
	for i := range checks {
		stays[ref(checks[i].Server)] = true
	}
	gone := func(r lvs.Ref, _ string) bool { return !stays[r] }
	maps.DeleteFunc(v.said, gone)
	maps.DeleteFunc(v.unsent, gone)
}

func (v *virtualServices) logWeight(c *checker.Change) {
	if c.Weight == nil {
		v.log.Info("no check says the weight of the server any more", "server", c.ID)
		return
	}
	v.log.Info("a check changes the weight of the server", "server", c.ID, "weight", *c.Weight, "check", c.WeightBy)
}

func eventHealth(h lvs.Health) string {
	switch h {
	case lvs.Up:
		return event.Up
	case lvs.Down:
		return event.Down
	}
	return ""
}

// eventServer returns a server as events have it; nil if its service is gone.
func (v *virtualServices) eventServer(r lvs.Ref) *event.Service {
	s, ok := v.balance.services[r.Service]
	if !ok {
		return nil
	}
	about := v.eventService(&s)
	about.Server = r.Server
	for i := range s.Servers {
		if server := &s.Servers[i]; server.Name == r.Server {
			about.Weight = server.Server.Weight
			if a := server.Server.Address; a.IsValid() {
				about.ServerAddress = a.String()
			}
		}
	}
	return about
}

// eventService returns a service as events have it.
func (v *virtualServices) eventService(s *conf.Service) *event.Service {
	about := &event.Service{
		Name: s.Name, Mark: s.Service.Key.Mark, ServersTotal: len(s.Servers), Address: s.AddressText(),
	}
	if s.Active != lvs.ActiveNever {
		about.Protocol = s.Service.Key.Protocol.String()
	}
	for i := range s.Servers {
		if v.balance.table.Health(lvs.Ref{Service: s.Name, Server: s.Servers[i].Name}) == lvs.Up {
			about.ServersUp++
		}
	}
	return about
}

// step takes into account what has changed since the last step, and the time, and
// publishes which services are up or down, and which orders have ended.
func (v *virtualServices) step(now time.Time) {
	changes := v.balance.table.Step(now)
	for i := range changes.Expired {
		v.publishExpired(now, &changes.Expired[i])
	}
	for i := range changes.Services {
		v.publishService(now, &changes.Services[i])
	}
	for name := range v.causes {
		if s, ok := v.balance.services[name]; ok {
			v.tracked(&s, v.view())
		}
	}
	clear(v.causes)
	v.timer.Stop()
	if next := v.balance.table.Deadline(); !next.IsZero() {
		v.timer.Reset(next.Sub(now))
	}
}

// publishService publishes that a service is up or down.
func (v *virtualServices) publishService(at time.Time, c *lvs.ServiceChange) {
	s, ok := v.balance.services[c.Service]
	if !ok {
		return
	}
	about := v.eventService(&s)
	reason := fmt.Sprintf("%d of %d servers are up", about.ServersUp, about.ServersTotal)
	if s.Quorum > 1 {
		reason += fmt.Sprintf(", their weights sum up to %d, the quorum is %d", c.Weight, s.Quorum)
	}
	if cause := v.causes[c.Service]; cause != "" {
		reason += "; " + cause
	}
	v.causes[c.Service] = "" // so that trackers hear of it
	from, to := eventHealth(c.Was), eventHealth(c.Now)
	v.log.Info("service is "+c.Now.String(), "service", s.Name, "reason", reason)
	v.publish(event.Event{At: at, Kind: event.KindService, Subject: s.Name, From: from, To: to, Reason: reason, Service: about})
}

// reportAll calls tracked for all services.
func (v *virtualServices) reportAll() {
	for i := range v.conf.Services {
		v.tracked(&v.conf.Services[i], v.view())
	}
}

// changed publishes what the balancer put back.
func (v *virtualServices) changed(report lvs.Report) {
	v.fights.note(time.Now(), report.Changes)
	repairs := slices.DeleteFunc(slices.Clone(report.Changes), func(c lvs.Change) bool { return !c.Drift })
	v.repairs += uint64(len(repairs))
	if len(repairs) > logEach {
		v.publish(event.Event{Kind: event.KindRepair, Subject: "ipvs", Reason: fmt.Sprintf("%d changes, the first: %v", len(repairs), repairs[0].Op)})
		return
	}
	for _, c := range repairs {
		v.publish(event.Event{Kind: event.KindRepair, Subject: "ipvs", Reason: c.Op.String()})
	}
}
