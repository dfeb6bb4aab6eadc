package director

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"holdfast/checker"
	"holdfast/checker/period"
	"holdfast/checker/probe"
	"holdfast/cmd/internal/alert"
	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/lvs"
	"holdfast/netdev/statefile"
)

// alerts is the subsystem that makes messages of failures. It hears every event and
// publishes one of kind alert when a rule has something to say.
type alerts struct {
	base
	path string // of the file that tells a later run what was said already
	// problems replaces the problems of writing that file.
	problems func([]status.Problem)
	engine   *alert.Engine
	masters  map[string]bool
	timer    *time.Timer
	keeping  *time.Timer // until the file is written; nil: it is up to date
	kept     []byte      // content of the file
	counts   atomic.Bool // a rule counts failed checks
	services map[string]*conf.Service
	posted   bool // a look is on its way
	ended    bool // what happens now is the end of the daemon
	fresh    bool // nothing was applied yet
	upgraded bool // the former binary has called the programs of the start
}

func newAlerts(b base, dir string) *alerts {
	return &alerts{
		base: b, path: filepath.Join(dir, "alerts.json"), engine: alert.New(),
		problems: func([]status.Problem) {}, masters: map[string]bool{}, fresh: true,
	}
}

func (a *alerts) apply(c *conf.Config) {
	rules := make([]alert.Rule, len(c.Alerts))
	for i := range c.Alerts {
		rules[i] = a.rule(&c.Alerts[i])
	}
	a.ended = false // a failed upgrade goes on
	a.engine.Configure(rules)
	a.services = servicesOf(c)
	a.engine.SetExists(time.Now(), subjectsOf(c, a.services))
	a.counts.Store(a.engine.Counts())
	first := a.fresh
	if a.fresh {
		a.fresh = false
		a.recall()
	}
	if !first || !a.upgraded {
		a.engine.Start(time.Now(), !first, monitorsOf(c))
	}
	a.soon()
}

func (a *alerts) restore(s *upgradeState) { a.upgraded = s.At != 0 }

// monitorsOf returns the services that a monitor of mon, or its traps, speak for.
func monitorsOf(c *conf.Config) []alert.Run {
	var all []alert.Run
	for i := range c.Services {
		s := &c.Services[i]
		environment, ok := s.Monitor()
		if !ok {
			continue
		}
		all = append(all, alert.Run{Service: s.Name, Environment: environment, Hosts: hostsOf(s)})
	}
	return all
}

// hostsOf returns the names of the servers of a service; nil for no service.
func hostsOf(s *conf.Service) []string {
	if s == nil {
		return nil
	}
	names := make([]string, len(s.Servers))
	for i := range s.Servers {
		names[i] = s.Servers[i].Name
	}
	return names
}

// servicesOf returns the services of a configuration by name.
func servicesOf(c *conf.Config) map[string]*conf.Service {
	all := make(map[string]*conf.Service, len(c.Services))
	for i := range c.Services {
		all[c.Services[i].Name] = &c.Services[i]
	}
	return all
}

// subjectsOf returns which subjects a configuration has. Others, such as devices that
// have a problem, may exist too. services has those of c by name.
func subjectsOf(c *conf.Config, services map[string]*conf.Service) func(kind, name string) bool {
	have := map[[2]string]bool{}
	for i := range c.VRRP {
		have[[2]string{event.KindInstance, c.VRRP[i].Name}] = true
		have[[2]string{event.KindRival, c.VRRP[i].Name}] = true
	}
	for i := range c.Groups {
		have[[2]string{event.KindGroup, c.Groups[i].Name}] = true
	}
	for i := range c.Tracks {
		have[[2]string{event.KindTracker, c.Tracks[i].Name}] = true
	}
	for i := range c.BFD {
		have[[2]string{event.KindBFD, c.BFD[i].Name}] = true
	}
	return func(kind, name string) bool {
		switch kind {
		case event.KindProblem:
			return true
		case event.KindService:
			return services[name] != nil
		case event.KindServer: // not in have, because there may be ten thousand
			r := ref(name)
			s := services[r.Service]
			return s != nil && slices.ContainsFunc(s.Servers, func(server lvs.ServerConfig) bool { return server.Name == r.Server })
		}
		return have[[2]string{kind, name}]
	}
}

// setMaster notes whether an instance or group is MASTER.
func (a *alerts) setMaster(name string, master bool) {
	if a.masters[name] != master {
		a.masters[name] = master
		a.soon()
	}
}

// rule returns the rule of a configuration.
func (a *alerts) rule(c *conf.Alert) alert.Rule {
	when, err := period.Parse(c.Period)
	if err != nil { // the configuration was checked
		a.log.Error("the period of an alert cannot be read: its messages are sent at any time", "alert", c.Name, "err", err)
	}
	follow := c.Follow
	return alert.Rule{
		Name: c.Name, Kinds: c.Events, Subjects: c.Subjects, Unless: c.Unless, After: c.After, Within: c.Within,
		Hold: c.Hold, Gather: c.Gather, Every: c.Every, Limit: c.Limit, Recovery: c.Recovery, Unpaired: c.Unpaired,
		Pace: alert.Pace(c.Pace), Change: alert.Change(c.Change), Strict: c.Strict,
		Exit: statuses(c.Exit), OtherExit: statuses(c.OtherExit), AckUntilChange: c.AckEnds == "change",
		Startup: len(c.StartupCommand.Argv) > 0, StartupOnReload: c.StartupOnReload, Acks: len(c.AckCommand.Argv) > 0,
		Open: func(t time.Time) bool { return when.Contains(t.Local()) && (follow == "" || a.masters[follow]) },
	}
}

func statuses(ranges []conf.ExitRange) alert.Statuses {
	var all alert.Statuses
	for _, r := range ranges {
		all = append(all, [2]int{r.From, r.To})
	}
	return all
}

// handle takes every event in. It publishes nothing itself: subscribers after this
// one would get the alert before its cause.
func (a *alerts) handle(e *event.Event) {
	if a.ended {
		return
	}
	if e.Kind == event.KindInstance || e.Kind == event.KindGroup {
		a.setMaster(e.Subject, e.To == event.Master)
	}
	if e.Kind != event.KindAlert {
		a.engine.Handle(e)
		a.soon()
	}
}

// failedCheck counts a failed check of a server. It is called in any goroutine, for
// each check of each server that is down, so it does nothing if no rule counts.
func (a *alerts) failedCheck(server string, r checker.Result) {
	if !a.counts.Load() {
		return
	}
	a.post(func() {
		if a.engine.Failed(server, r.At, r.Reason) {
			a.soon()
		}
	})
}

// ranMonitor takes a run of a monitor in. It is called in any goroutine.
func (a *alerts) ranMonitor(r probe.MonRun) {
	a.post(func() {
		if a.ended {
			return
		}
		a.engine.Ran(&alert.Run{Service: r.Service, At: r.At, Status: r.Status, Output: r.Output, Hosts: hostsOf(a.services[r.Service]), Environment: r.Environment, Source: alert.Source(r.Source), Intended: r.Intended})
		a.soon()
	})
}

// trapLapsed notes that the time of a trap is over. It is called in any goroutine.
func (a *alerts) trapLapsed(service string) {
	a.post(func() { a.engine.Lapse(service) })
}

// soon looks for alerts once the events at hand are handled.
func (a *alerts) soon() {
	if a.posted {
		return
	}
	a.posted = true
	a.post(a.look)
}

// look publishes the alerts that are due.
func (a *alerts) look() {
	a.posted = false
	if a.ended {
		return
	}
	notices, next := a.engine.Take(time.Now())
	for i := range notices {
		e := notices[i].Event()
		if !e.NotJournaled {
			a.log.Warn("alert", "alert", e.Subject, "text", e.Reason)
		}
		a.publish(e)
	}
	if len(notices) > 0 {
		a.keep() // nothing is told twice, whatever happens next
	} else {
		a.keepIn(keepLag)
	}
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
	if !next.IsZero() {
		a.timer = time.AfterFunc(max(time.Until(next), 0), func() { a.post(a.look) })
	}
}

// ack acknowledges failures.
func (a *alerts) ack(subject string, ack alert.Ack) ([]string, error) {
	names, err := a.engine.Ack(subject, ack, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%w of %q now: there is nothing to acknowledge", err, subject)
	}
	a.log.Info("alerts acknowledged", "subjects", names, "by", ack.By, "comment", ack.Comment)
	a.keep()
	a.soon()
	return names, nil
}

func (a *alerts) report(s *status.Status) {
	for _, o := range a.engine.Open() {
		s.Alerts = append(s.Alerts, status.Alert{
			Rule: o.Rule, Kind: o.Kind, Subject: o.Subject, Reason: o.Reason, Since: o.Since,
			Failures: o.Failures, Sent: o.Notices, AckedBy: o.Acked.By, AckComment: o.Acked.Comment,
		})
	}
}

// keepLag is how long the file may lag behind what is no message: a thousand servers
// that fail one after the other must not write it a thousand times.
const keepLag = time.Second

// keepIn writes the file after a time, or when that is due already.
func (a *alerts) keepIn(d time.Duration) {
	if a.keeping == nil {
		a.keeping = time.AfterFunc(d, func() { a.post(a.keep) })
	}
}

// keep writes what was said, for a later run. If that fails it is a problem, and is
// tried again.
func (a *alerts) keep() {
	if a.ended {
		return
	}
	var failed []status.Problem
	err := a.write()
	if err != nil {
		a.keepIn(keepAgain)
		failed = []status.Problem{{Kind: "journal", Name: "alerts", Text: fmt.Sprintf("a later run will alert again of what fails now: %v", err)}}
	}
	a.problems(failed)
}

// write writes the file if it is not up to date.
func (a *alerts) write() error {
	if a.keeping != nil {
		a.keeping.Stop()
		a.keeping = nil
	}
	content, err := json.Marshal(a.engine.Save())
	if err != nil || bytes.Equal(content, a.kept) {
		return err
	}
	if err := statefile.Replace(a.path, content); err != nil {
		return err
	}
	a.kept = content
	return nil
}

// recall takes over what a former run has said.
func (a *alerts) recall() {
	var saved []alert.Saved
	if _, err := readFile(a.path, &saved); err != nil {
		a.log.Warn("alerts may come a second time", "err", err)
	}
	a.engine.Restore(saved, time.Now())
	if len(saved) == 0 {
		a.kept = []byte("[]") // without alerts there is no file
	}
}

// withdraw ends the alerts. An instance that stops has no fault any more, but what it
// failed of is not over.
func (a *alerts) withdraw() { a.suspend() }
func (a *alerts) close()    { a.suspend() }

func (a *alerts) suspend() {
	if a.keeping != nil {
		if err := a.write(); err != nil {
			a.log.Warn("a later run will alert again of what fails now", "err", err)
		}
	}
	a.ended = true
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
}

// Ack implements control.Backend.
func (b backend) Ack(ctx context.Context, pattern, by, comment string) (*control.Acked, error) {
	var names []string
	var err error
	if asking := b.d.ask(ctx, func() { names, err = b.d.alerts.ack(pattern, alert.Ack{By: by, Comment: comment}) }); asking != nil {
		return nil, asking
	}
	if err != nil {
		return nil, err
	}
	return &control.Acked{Subjects: names}, nil
}
