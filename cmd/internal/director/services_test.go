package director

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"holdfast/checker"
	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/notify"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/lvs"
)

const twoServers = twoUnits + `
[[notify.fifo]]
path = "/unused"
[[service]]
name = "web"
address = "10.0.0.100:80"
  [[service.server]]
  address = "192.168.0.11:80"
  [[service.server]]
  address = "192.168.0.12:80"
`

// A lineKeeper keeps the lines that a FIFO would have written.
type lineKeeper struct{ lines chan string }

func (l lineKeeper) Deliver(_ context.Context, events []event.Event) (int, error) {
	for _, n := range events {
		l.lines <- notify.Line(&n)
	}
	return len(events), nil
}

func (l lineKeeper) Close() { close(l.lines) }

// newTestServices returns the subsystem of the services of c over a kernel. Its checks
// never run.
func newTestServices(t *testing.T, b base, c *conf.Config, kernel *fakeIPVS) *virtualServices {
	t.Helper()
	v := newVirtualServices(b, t.TempDir())
	v.problems, v.tracked = func([]status.Problem) {}, func(*conf.Service, serverView) {}
	v.checks = checker.New(checker.Options{Log: b.log})
	v.checks.Close()
	t.Cleanup(v.close)
	v.balance.attach(kernel)
	v.conf = c
	if _, err := v.balance.configure(c); err != nil {
		t.Fatal(err)
	}
	return v
}

// A service is up with its first server, and down when the last that could be up
// is known not to be. Readers of a FIFO hear of it as from keepalived.
func TestServiceNews(t *testing.T) {
	b, heard := alone(t)
	c := parse(t, twoServers)
	v := newTestServices(t, b, c, newFakeIPVS())
	keeper := lineKeeper{make(chan string, 100)}
	out := &outlets{base: b, sinks: []*sink{{
		Sink:   notify.NewSink("test", b.log, notify.SinkOptions{Transport: keeper, Queue: 100}),
		events: c.Notify.FIFOs[0].Events, lines: true,
	}}}
	verdict := func(server string, up bool) {
		v.verdict(checker.Change{ID: "web/" + server, Up: up, At: time.Now(), Reason: "r"})
		v.reconcile()
	}
	verdict("192.168.0.11:80", false) // the other is not known
	verdict("192.168.0.12:80", false)
	verdict("192.168.0.11:80", true)
	verdict("192.168.0.12:80", true)
	verdict("192.168.0.11:80", false)
	verdict("192.168.0.12:80", false)
	v.apply(parse(t, strings.Replace(twoServers, "web", "other", 1)))
	v.reconcile()
	for i := range heard.events {
		out.sendToSinks(&heard.events[i])
	}
	out.close()

	var lines []string
	for line := range keeper.lines {
		lines = append(lines, line)
	}
	want := `RS [192.168.0.11]:tcp:80 [10.0.0.100]:tcp:80 DOWN
RS [192.168.0.12]:tcp:80 [10.0.0.100]:tcp:80 DOWN
VS [10.0.0.100]:tcp:80 DOWN
RS [192.168.0.11]:tcp:80 [10.0.0.100]:tcp:80 UP
VS [10.0.0.100]:tcp:80 UP
RS [192.168.0.12]:tcp:80 [10.0.0.100]:tcp:80 UP
RS [192.168.0.11]:tcp:80 [10.0.0.100]:tcp:80 DOWN
RS [192.168.0.12]:tcp:80 [10.0.0.100]:tcp:80 DOWN
VS [10.0.0.100]:tcp:80 DOWN`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("lines:\n%s\nwant:\n%s", got, want)
	}
	var news []string
	for _, e := range heard.events {
		if e.Kind == event.KindService {
			news = append(news, e.From+"->"+e.To+": "+e.Reason)
		}
	}
	wantNews := `->DOWN: 0 of 2 servers are up; web/192.168.0.12:80 is DOWN
DOWN->UP: 1 of 2 servers are up; web/192.168.0.11:80 is UP
UP->DOWN: 0 of 2 servers are up; web/192.168.0.12:80 is DOWN`
	if got := strings.Join(news, "\n"); got != wantNews {
		t.Errorf("journal:\n%s\nwant:\n%s", got, wantNews)
	}
}

// What can be configured is what the journal has.
func TestEventKindsAreTheJournals(t *testing.T) {
	kinds := []string{
		event.KindInstance, event.KindGroup, event.KindRival, event.KindPriority, event.KindService, event.KindServer, event.KindOperator,
		event.KindTracker, event.KindBFD, event.KindRepair, event.KindProblem, event.KindConfig, event.KindDirector, event.KindNotify,
		event.KindResource, event.KindFence, event.KindFast, event.KindAlert,
	}
	if got, want := strings.Join(conf.EventKinds, " "), strings.Join(kinds, " "); got != want {
		t.Errorf("conf has %s, want %s", got, want)
	}
}

// Each part of IPVS that cannot be brought to the wanted state is in the status
// while that lasts, and does not stop the other parts.
func TestIPVSFaultsAreInTheStatus(t *testing.T) {
	b, _ := alone(t)
	c := parse(t, balanced)
	kernel, dir := newFakeIPVS(), t.TempDir()
	var problems []status.Problem
	v := newVirtualServices(b, dir)
	v.conf, v.problems, v.tracked = c, func(all []status.Problem) { problems = all }, func(*conf.Service, serverView) {}
	v.checks = checker.New(checker.Options{Log: b.log})
	t.Cleanup(func() { v.checks.Close(); v.close() })
	v.balance.attach(kernel)
	noTable, noSync := errors.New("no table"), errors.New("no daemon")
	used := lvs.Server{Address: netip.MustParseAddrPort("192.168.0.11:80"), Forward: lvs.NAT, Weight: 1}
	web := c.Services[0].Service.Canonical()
	for _, op := range []lvs.Op{{Verb: lvs.AddService, Service: web}, {Verb: lvs.AddServer, Service: web, Server: used}} {
		if err := kernel.Do(op)[0]; err != nil {
			t.Fatal(err)
		}
	}
	kernel.failDump, kernel.failSync = noTable, noSync
	if _, err := v.balance.configure(c); err != nil {
		t.Fatal(err)
	}
	check := func(when string, table, sync bool) {
		t.Helper()
		v.dirty = true
		v.reconcile()
		var s status.Status
		v.report(&s)
		got, gotSync := s.LVS.Error, s.LVS.Sync.Error
		if strings.Contains(got, "no table") != table || (got != "") != table || strings.Contains(gotSync, "no daemon") != sync || (gotSync != "") != sync {
			t.Errorf("%s: table %q, sync %q", when, got, gotSync)
		}
	}
	check("nothing works", true, true)
	kernel.failSync = nil
	check("sync works", true, false)
	if len(kernel.daemons) != 1 || kernel.timeouts.TCP != time.Minute {
		t.Errorf("daemons %v and timeouts %v while the table cannot be read", kernel.daemons, kernel.timeouts)
	}
	kernel.failDump = nil
	check("all works", false, false)
	for range contentionRepairs {
		if err := kernel.Do(lvs.Op{Verb: lvs.DeleteService, Service: web})[0]; err != nil {
			t.Fatal(err)
		}
		check("another program deletes a service", false, false)
	}
	if len(problems) != 1 || problems[0].Text != "service web: another program keeps changing it in the kernel: 3 repairs and more within 10 minutes" {
		t.Errorf("problems %+v", problems)
	}
	if got := kernel.String(); !strings.Contains(got, "-r 192.168.0.11:80") {
		t.Errorf("a server in use went out of service, though no check has failed:\n%s", got)
	}
}

// A server that waits for another one leaves the table without an event, and comes
// back without one.
func TestWaitingServersMakeNoEvents(t *testing.T) {
	b, heard := alone(t)
	kernel := newFakeIPVS()
	v := newTestServices(t, b, parse(t, twoServers), kernel)
	const id = "web/192.168.0.11:80"
	step := func(when string, c checker.Change, inTable bool, events int) {
		t.Helper()
		heard.events = nil
		c.ID, c.At = id, time.Now()
		v.verdict(c)
		mustApply(t, v.balance)
		n := 0
		for _, e := range heard.events {
			if e.Kind == event.KindServer {
				n++
			}
		}
		if n != events || strings.Contains(kernel.String(), "-r 192.168.0.11:80") != inTable {
			t.Errorf("%s: events %+v, table %s", when, heard.events, kernel)
		}
	}
	step("up", checker.Change{Up: true}, true, 1)
	step("waits", checker.Change{Waits: true}, false, 0)
	step("up again", checker.Change{Up: true}, true, 0)
	step("waits again", checker.Change{Waits: true}, false, 0)
	step("down by itself", checker.Change{}, false, 1)
	step("waits once more", checker.Change{Waits: true}, false, 0)
	step("up for good", checker.Change{Up: true}, true, 1)
}

// A configuration that only checks needs no IPVS, and its status shows the service.
func TestServicesThatAreOnlyChecked(t *testing.T) {
	b, heard := alone(t)
	c := parse(t, twoUnits+`
[[service]]
name = "hosts:ping"
active = "never"
quorum = 2
check = { type = "external", command = ["/bin/true"], style = "mon", host = "name", together = true }
[[service.server]]
name = "www1"
[[service.server]]
name = "www2"
`)
	v := newVirtualServices(b, t.TempDir())
	v.kernel = func(context.Context, *slog.Logger) (ipvsTable, error) { return nil, errors.New("asked for IPVS") }
	v.problems, v.tracked = func([]status.Problem) {}, func(*conf.Service, serverView) {}
	v.checks = checker.New(checker.Options{Log: b.log})
	v.checks.Close()
	t.Cleanup(v.close)
	if err := v.admit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	v.conf = c
	if _, err := v.balance.configure(c); err != nil {
		t.Fatal(err)
	}
	for _, server := range []string{"www1", "www2"} {
		v.verdict(checker.Change{ID: "hosts:ping/" + server, Up: server == "www1", At: time.Now(), Reason: "r"})
	}
	v.reconcile()
	done, err := v.order(time.Now(), &control.ServerOrder{Verb: control.Drain, Service: "hosts:ping", Server: "www2", By: "root"})
	if err != nil || len(done.Notes) != 1 || !strings.HasPrefix(done.Notes[0], "hosts:ping/www2 is only checked") {
		t.Errorf("drain: %+v, %v", done, err)
	}
	var s status.Status
	v.report(&s)
	if s.LVS == nil || len(s.LVS.Services) != 1 || s.LVS.Services[0].ServersUp != 1 || s.LVS.Services[0].Health != "down" {
		t.Errorf("status %+v", s.LVS)
	}
	if unwell := strings.Join(s.Unwell(), "\n"); !strings.Contains(unwell, "service hosts:ping is down") {
		t.Errorf("unwell: %s", unwell)
	}
	for _, e := range heard.events {
		if e.Kind == event.KindService && e.To == event.Down && e.Service.Protocol != "" {
			t.Errorf("event %+v", e.Service)
		}
	}
}
