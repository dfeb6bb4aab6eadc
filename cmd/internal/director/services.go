package director

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"holdfast/checker"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/lvs"
	"holdfast/lvs/ipvs"
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
	// tracked is called after every result of a check that changed a server.
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
	unsent  map[lvs.Ref]bool   // servers whose checks cannot be sent
	said    map[lvs.Ref]string // UP or DOWN by server, as its latest event says
	healths map[string]string  // UP or DOWN by service; absent: not known
}

// newVirtualServices returns the subsystem with what a former run left in IPVS.
func newVirtualServices(b base, dir string) *virtualServices {
	memory, err := readIPVSState(dir)
	if err != nil {
		b.log.Warn("what a former run left in IPVS is not known", "err", err)
	}
	v := &virtualServices{base: b, kernel: openIPVS, healths: map[string]string{}, said: map[lvs.Ref]string{}, unsent: map[lvs.Ref]bool{}, fights: contention{}}
	v.balance = newBalancer(b.log, memory, v.changed)
	return v
}

func openIPVS(ctx context.Context, log *slog.Logger) (ipvsTable, error) { return ipvs.Open(ctx, log) }

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
	checks, err := v.balance.configure(c)
	if err != nil {
		v.log.Error("cannot take over the services", "err", err)
	} else if err := v.checks.Apply(checks); err != nil {
		v.log.Error("cannot take over the checks", "err", err)
	}
	v.forget(checks)
	v.publishServices(time.Now(), "the configuration changed")
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

func (v *virtualServices) report(s *status.Status) {
	s.Checks = v.checks.Status()
	if !needsIPVS(v.conf) && v.faults == (ipvsFaults{}) {
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

func (v *virtualServices) withdraw() { v.checks.Close() }

func (v *virtualServices) close() { v.tools.close() }

func (v *virtualServices) stop() error { return v.balance.stop(v.conf.LVS.OnStop) }

// reconcile brings the table to what is wanted, if that may have changed.
func (v *virtualServices) reconcile() {
	if !v.dirty {
		return
	}
	v.dirty = false
	former := v.faults
	v.faults = v.balance.apply()
	v.problems(append(v.conflicts(time.Now()), checkWarnings(v.checks.Warnings())...))
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
		v.logWeight(&c)
	}
	health := lvs.Down
	if c.Up {
		health = lvs.Up
	}
	before := v.balance.table.Health(r)
	changed := v.balance.table.SetHealth(r, health)
	v.dirty = v.dirty || changed
	if s, ok := v.balance.services[r.Service]; ok && (changed || v.unsent[r] != c.Unsent) {
		v.unsent[r] = c.Unsent
		v.tracked(&s, v.view())
	}
	v.announce(c, r, before)
	if s, ok := v.balance.services[r.Service]; ok && before != health {
		v.publishService(&s, c.At, c.ID+" is "+eventHealth(health))
	}
}

// announce publishes what is new of a server. A server that only waits for another one
// has no event of its own: the other one has.
func (v *virtualServices) announce(c checker.Change, r lvs.Ref, before lvs.Health) {
	to := event.Down
	if c.Up {
		to = event.Up
	}
	from, known := v.said[r]
	if !known {
		from = eventHealth(before)
	}
	v.said[r] = from
	switch {
	case c.Waits:
		v.log.Info("server is not asked", "server", c.ID, "reason", c.Reason)
	case from != to:
		v.said[r] = to
		v.log.Info("server is "+strings.ToLower(to), "server", c.ID, "reason", c.Reason)
		v.publish(event.Event{
			At: c.At, Kind: event.KindServer, Subject: c.ID,
			From: from, To: to, Reason: c.Reason, Service: v.eventServer(r),
		})
	}
}

// A serverView is what trackers see of servers.
type serverView struct {
	health func(lvs.Ref) lvs.Health
	unsent map[lvs.Ref]bool // the checks of a server cannot be sent
}

func (v *virtualServices) view() serverView { return serverView{v.balance.table.Health, v.unsent} }

// forget drops what was said of servers that are not configured any more.
func (v *virtualServices) forget(checks []checker.Config) {
	said, unsent := make(map[lvs.Ref]string, len(checks)), make(map[lvs.Ref]bool)
	for i := range checks {
		r := ref(checks[i].Server)
		if to, ok := v.said[r]; ok {
			said[r] = to
		}
		if v.unsent[r] {
			unsent[r] = true
		}
	}
	v.said, v.unsent = said, unsent
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
	about, _ := v.eventService(&s)
	about.Server = r.Server
	for i := range s.Servers {
		if server := &s.Servers[i]; server.Name == r.Server {
			about.Weight, about.ServerAddress = server.Server.Weight, server.Server.Address.String()
		}
	}
	return about
}

// eventService returns a service as events have it, and how many of its servers were
// not checked yet.
func (v *virtualServices) eventService(s *conf.Service) (about *event.Service, unknown int) {
	about = &event.Service{
		Name: s.Name, Protocol: s.Service.Key.Protocol.String(), Mark: s.Service.Key.Mark, ServersTotal: len(s.Servers),
		Address: s.AddressText(),
	}
	for i := range s.Servers {
		switch v.balance.table.Health(lvs.Ref{Service: s.Name, Server: s.Servers[i].Name}) {
		case lvs.Up:
			about.ServersUp++
		case lvs.Unknown:
			unknown++
		}
	}
	return about, unknown
}

// publishServices does publishService for all services, after a new configuration.
func (v *virtualServices) publishServices(at time.Time, reason string) {
	former := v.healths
	v.healths = make(map[string]string, len(v.conf.Services))
	for i := range v.conf.Services {
		s := &v.conf.Services[i]
		if was := former[s.Name]; was != "" {
			v.healths[s.Name] = was
		}
		v.publishService(s, at, reason)
	}
}

// publishService publishes that a service got its first server that is up, or lost the
// last. It publishes nothing as long as servers that were not checked yet could decide
// it.
func (v *virtualServices) publishService(s *conf.Service, at time.Time, reason string) {
	about, unknown := v.eventService(s)
	was := v.healths[s.Name]
	now := was
	switch {
	case about.ServersUp > 0:
		now = event.Up
	case unknown == 0:
		now = event.Down
	}
	if now == was {
		return
	}
	v.healths[s.Name] = now
	text := fmt.Sprintf("%d of %d servers are up; %s", about.ServersUp, about.ServersTotal, reason)
	v.log.Info("service is "+now, "service", s.Name, "reason", text)
	v.publish(event.Event{At: at, Kind: event.KindService, Subject: s.Name, From: was, To: now, Reason: text, Service: about})
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
