package alert

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/internal/event"
)

var start = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) // a Monday

// A clock drives an engine through simulated time and keeps what it says.
type clock struct {
	*Engine
	now  time.Time
	said []string // "5s ops: web/a is DOWN: refused"
	all  []Notice
}

func newClock(rules ...Rule) *clock {
	c := &clock{Engine: New(), now: start}
	c.Configure(rules)
	return c
}

// run goes on until d after the start.
func (c *clock) run(d time.Duration) {
	end := start.Add(d)
	for {
		notices, next := c.Take(c.now)
		for _, n := range notices {
			c.said = append(c.said, fmt.Sprintf("%v %s: %s", c.now.Sub(start), n.Rule, n.Summary()))
			c.all = append(c.all, n)
		}
		if next.IsZero() || next.After(end) {
			c.now = end
			return
		}
		c.now = next
	}
}

func (c *clock) server(name, to string) {
	e := event.Event{At: c.now, Kind: event.KindServer, Subject: name, To: to}
	if to == event.Down {
		e.Reason = "refused"
	}
	c.Handle(&e)
}

func (c *clock) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(c.said, want) {
		t.Errorf("said\n  %s\nwant\n  %s", strings.Join(c.said, "\n  "), strings.Join(want, "\n  "))
	}
}

// rule is a rule about servers that gathers for 5 s.
func rule(change func(*Rule)) Rule {
	r := Rule{Name: "ops", Kinds: []string{event.KindServer, event.KindService}, Gather: 5 * time.Second, Recovery: true}
	if change != nil {
		change(&r)
	}
	return r
}

func TestFailureAndRecovery(t *testing.T) {
	c := newClock(rule(nil))
	c.server("web/a", event.Down)
	c.run(20 * time.Second)
	c.server("web/a", event.Up)
	c.run(time.Hour)
	c.expect(t, "5s ops: web/a is DOWN: refused", "25s ops: web/a is well again")
}

// What recovers before anybody was told makes no notice.
func TestShortFailure(t *testing.T) {
	c := newClock(rule(nil))
	c.server("web/a", event.Down)
	c.run(4 * time.Second)
	c.server("web/a", event.Up)
	c.run(time.Hour)
	c.expect(t)
}

// A recovery that does not last is not told, nor the failure once more.
func TestShortRecovery(t *testing.T) {
	c := newClock(rule(nil))
	c.server("web/a", event.Down)
	c.run(20 * time.Second)
	c.server("web/a", event.Up)
	c.run(22 * time.Second)
	c.server("web/a", event.Down)
	c.run(time.Hour)
	c.expect(t, "5s ops: web/a is DOWN: refused")
}

func TestThousandServersMakeOneNotice(t *testing.T) {
	c := newClock(rule(nil))
	for i := range 1000 {
		c.server(fmt.Sprintf("web/%04d", i), event.Down)
		c.run(time.Duration(i) * time.Millisecond)
	}
	c.run(time.Hour)
	c.expect(t, "5s ops: 1000 servers are DOWN: web 1000")
	if lines := strings.Count(c.all[0].Text(), "\n"); lines != maxLines+1 {
		t.Errorf("the text has %d lines", lines)
	}
	if e := c.all[0].Event(); len(e.Alert.Down) != maxLines || e.Alert.DownTotal != 1000 || e.To != event.Down {
		t.Errorf("the event has %d of %d entries, state %s", len(e.Alert.Down), e.Alert.DownTotal, e.To)
	}
}

func TestEveryAndLimit(t *testing.T) {
	c := newClock(rule(func(r *Rule) { r.Every, r.Limit, r.Gather = time.Hour, 3, 0 }))
	c.server("web/a", event.Down)
	c.run(24 * time.Hour)
	c.server("web/a", event.Up)
	c.run(25 * time.Hour)
	c.expect(t, "0s ops: web/a is DOWN: refused", "1h0m0s ops: web/a is DOWN: refused",
		"2h0m0s ops: web/a is DOWN: refused", "24h0m0s ops: web/a is well again")
}

func TestHold(t *testing.T) {
	c := newClock(rule(func(r *Rule) { r.Hold, r.Gather = time.Minute, 0 }))
	c.server("web/a", event.Down)
	c.server("web/b", event.Down)
	c.run(59 * time.Second)
	c.server("web/b", event.Up)
	c.run(time.Hour)
	c.expect(t, "1m0s ops: web/a is DOWN: refused")
}

func TestAfterFailuresInARow(t *testing.T) {
	c := newClock(rule(func(r *Rule) { r.After, r.Gather = 3, 0 }))
	if !c.Counts() {
		t.Error("the rule does not want failed checks")
	}
	c.Failed("web/a", c.now, "refused") // the server is not down yet
	c.server("web/a", event.Down)
	c.run(2 * time.Second)
	c.Failed("web/a", c.now, "refused")
	c.run(4 * time.Second)
	c.Failed("web/a", c.now, "timeout")
	c.run(time.Hour)
	c.expect(t, "4s ops: web/a is DOWN: timeout")
}

// Two failures within 5 minutes need not follow each other.
func TestAfterFailuresWithin(t *testing.T) {
	flap := func(c *clock, at time.Duration) {
		c.run(at)
		c.server("web/a", event.Down)
		c.run(at + time.Second)
		c.server("web/a", event.Up)
	}
	c := newClock(rule(func(r *Rule) { r.After, r.Within, r.Gather = 2, 5*time.Minute, 0 }))
	flap(c, 0)
	flap(c, 6*time.Minute)
	flap(c, 10*time.Minute)
	c.run(time.Hour)
	c.expect(t, "10m0s ops: web/a is DOWN: refused", "10m1s ops: web/a is well again")
	if c.Take(c.now); len(c.rules[0].problems) != 0 {
		t.Errorf("left: %v", c.rules[0].problems)
	}
}

func TestPeriod(t *testing.T) {
	opens := start.Add(90 * time.Minute)
	c := newClock(rule(func(r *Rule) { r.Gather, r.Open = 0, func(at time.Time) bool { return !at.Before(opens) } }))
	c.server("web/a", event.Down)
	c.server("web/b", event.Down)
	c.run(10 * time.Minute)
	c.server("web/b", event.Up)
	c.run(3 * time.Hour)
	c.expect(t, "1h30m0s ops: web/a is DOWN: refused")
}

func TestUnless(t *testing.T) {
	c := newClock(rule(func(r *Rule) { r.Subjects, r.Unless, r.Gather = []string{"web"}, [][]string{{"hosts/*"}}, 0 }))
	c.server("hosts/router", event.Down)
	c.server("web/a", event.Down)
	c.run(time.Minute)
	c.server("hosts/router", event.Up)
	c.run(time.Hour)
	c.expect(t, "1m0s ops: web/a is DOWN: refused")
}

// A rule is silent while all of an inner list fail.
func TestUnlessAllOf(t *testing.T) {
	c := newClock(rule(func(r *Rule) {
		r.Subjects, r.Unless, r.Gather = []string{"web"}, [][]string{{"isp-a", "isp-b"}, {"!power", "ups"}}, 0
	}))
	c.server("isp-a/gw", event.Down)
	c.server("web/a", event.Down) // by isp-b
	c.run(time.Minute)
	c.server("isp-b/gw", event.Down)
	c.server("web/b", event.Down)
	c.run(2 * time.Minute)
	c.server("isp-a/gw", event.Up)
	c.run(3 * time.Minute)
	c.server("ups/1", event.Down) // while the power is there
	c.server("web/c", event.Down)
	c.run(4 * time.Minute)
	c.server("power/1", event.Down)
	c.run(5 * time.Minute)
	c.expect(t, "0s ops: web/a is DOWN: refused", "2m0s ops: web/b is DOWN: refused", "4m0s ops: web/c is DOWN: refused")
}

func TestAcknowledged(t *testing.T) {
	c := newClock(rule(func(r *Rule) { r.Every, r.Gather = time.Minute, 0 }))
	c.server("web/a", event.Down)
	c.server("mail/a", event.Down)
	c.run(90 * time.Second)
	if got, err := c.Ack("web", Ack{By: "uid 0"}, c.now); err != nil || !slices.Equal(got, []string{"web/a"}) {
		t.Fatalf("Ack: %v, %v", got, err)
	}
	if _, err := c.Ack("nothing", Ack{}, c.now); !errors.Is(err, ErrNothing) {
		t.Errorf("Ack of nothing: %v", err)
	}
	c.run(150 * time.Second)
	c.server("web/a", event.Up)
	c.server("mail/a", event.Up)
	c.run(time.Hour)
	c.expect(t, "0s ops: 2 servers are DOWN: mail 1, web 1", "1m0s ops: 2 servers are DOWN: mail 1, web 1",
		"2m0s ops: mail/a is DOWN: refused", "2m30s ops: 2 servers are well again: mail 1, web 1")
}

// A restart tells nothing a second time, and keeps the acknowledgement.
func TestRestart(t *testing.T) {
	r := rule(func(r *Rule) { r.Gather, r.Every = 0, time.Hour })
	c := newClock(r)
	c.server("web/a", event.Down)
	c.server("web/b", event.Down)
	c.run(time.Second)
	if _, err := c.Ack("web/b", Ack{"root", "a new disk is on its way"}, c.now); err != nil {
		t.Fatal(err)
	}
	saved := c.Save()

	later := newClock(r)
	later.Restore(saved, later.now)
	later.server("web/a", event.Down)
	later.server("web/b", event.Down)
	later.run(2 * time.Hour)
	later.expect(t, "1h0m0s ops: web/a is DOWN: refused", "2h0m0s ops: web/a is DOWN: refused")
	if open := later.Open(); len(open) != 2 || open[0].Acked != (Ack{}) || open[1].Acked.String() != "root: a new disk is on its way" {
		t.Errorf("open %+v", open)
	}
}

// A rule that a reload adds speaks of what fails already; the others go on.
func TestReload(t *testing.T) {
	c := newClock(rule(nil))
	c.server("web/a", event.Down)
	c.run(10 * time.Second)
	c.Configure([]Rule{rule(nil), rule(func(r *Rule) { r.Name, r.Gather = "boss", 0 })})
	c.run(time.Minute)
	c.expect(t, "5s ops: web/a is DOWN: refused", "10s boss: web/a is DOWN: refused")
}

func TestFailing(t *testing.T) {
	for _, c := range []struct {
		kind, to       string
		failing, known bool
	}{
		{event.KindInstance, event.Fault, true, true},
		{event.KindInstance, event.Backup, false, true},
		{event.KindGroup, event.Deleted, false, true},
		{event.KindService, event.Down, true, true},
		{event.KindServer, event.Up, false, true},
		{event.KindRival, event.RivalSeen, true, true},
		{event.KindRival, event.RivalGone, false, true},
		{event.KindProblem, event.ProblemFound, true, true},
		{event.KindTracker, "down", true, true},
		{event.KindTracker, "-20", false, false},
		{event.KindConfig, "", false, false},
	} {
		failing, known := Failing(&event.Event{Kind: c.kind, To: c.to})
		if failing != c.failing || known != c.known {
			t.Errorf("%s %s: %v, %v", c.kind, c.to, failing, known)
		}
	}
	if _, known := Failing(&event.Event{Kind: event.KindServer, To: event.Down, Snapshot: true}); known {
		t.Error("a snapshot is no change")
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"web", "web", true}, {"web", "web/a", true}, {"web/*", "web/a", true}, {"web/*", "web", false},
		{"w*", "web/a", true}, {"web", "website", false}, {"*", "web/a", true}, {"outside", "outside", true},
	} {
		if got := Matches(c.pattern, c.name); got != c.want {
			t.Errorf("%s, %s: %v", c.pattern, c.name, got)
		}
	}
}

// A subject that a reload removed does not fail any more, and what a check of it says
// afterwards counts no more.
func TestGone(t *testing.T) {
	c := newClock(rule(func(r *Rule) { r.Gather, r.Every = 0, time.Minute }))
	c.server("web/a", event.Down)
	c.server("web/b", event.Down)
	c.run(time.Second)
	c.SetExists(c.now, func(_, name string) bool { return name != "web/a" })
	c.server("web/a", event.Down)
	c.run(time.Minute)
	c.expect(t, "0s ops: 2 servers are DOWN: web 2", "1s ops: web/a is well again", "1m0s ops: web/b is DOWN: refused")
}

// What ended between two runs, or was removed, is not told for ever.
func TestRestartAfterTheEnd(t *testing.T) {
	r := rule(func(r *Rule) {
		r.Kinds = []string{event.KindServer, event.KindRival}
		r.Gather, r.Every, r.Open = 0, time.Minute, nil
	})
	rival := func(c *clock, name string) {
		c.Handle(&event.Event{At: c.now, Kind: event.KindRival, Subject: name, To: event.RivalSeen, Reason: "heard"})
	}
	c := newClock(r)
	c.server("web/a", event.Down)
	rival(c, "inside")
	rival(c, "outside")
	c.run(0)

	later := newClock(r)
	later.SetExists(later.now, func(_, name string) bool { return name != "web/a" })
	later.Restore(c.Save(), later.now)
	rival(later, "outside") // it is still there
	later.run(3 * time.Minute)
	later.expect(t, "0s ops: web/a is well again", "1m0s ops: 2 rivals are DOWN",
		"2m0s ops: outside is DOWN: heard; inside is well again", "3m0s ops: outside is DOWN: heard")
}

// A recovery that nobody was told of before a restart is told after it.
func TestRestartBeforeTheRecoveryIsTold(t *testing.T) {
	c := newClock(rule(nil))
	c.server("web/a", event.Down)
	c.run(10 * time.Second)
	c.server("web/a", event.Up)

	later := newClock(rule(nil))
	later.Restore(c.Save(), later.now)
	later.server("web/a", event.Up)
	later.run(time.Hour)
	later.expect(t, "15s ops: web/a is well again")
}

// After a restart a rule is silent as before, although no rule is about what silences it.
func TestRestartKeepsUnless(t *testing.T) {
	r := rule(func(r *Rule) { r.Subjects, r.Unless = []string{"web"}, [][]string{{"hosts/*"}} })
	c := newClock(r)
	c.server("hosts/router", event.Down)
	later := newClock(r)
	later.Restore(c.Save(), later.now)
	later.server("web/a", event.Down)
	later.run(time.Hour)
	later.expect(t)
}

// One virtual router can have several problems: the end of one is not the end of all.
func TestProblemsOfOneSubject(t *testing.T) {
	c := newClock(rule(func(r *Rule) { r.Kinds, r.Gather = []string{event.KindProblem}, 0 }))
	problem := func(address, to string) {
		c.Handle(&event.Event{At: c.now, Kind: event.KindProblem, Subject: "outside", To: to, Reason: address,
			Detail: map[string]string{"object": "address", "address": address}})
	}
	problem("10.0.0.1/24", event.ProblemFound)
	problem("10.0.0.2/24", event.ProblemFound)
	c.run(time.Second)
	problem("10.0.0.1/24", event.ProblemGone)
	c.run(time.Minute)
	c.expect(t, "0s ops: 2 problems are DOWN", "1s ops: outside is well again")
	if open := c.Open(); len(open) != 1 || open[0].Reason != "10.0.0.2/24" {
		t.Errorf("open: %v", open)
	}
}

// Only servers are checked again while they fail, so only they can wait for failures.
func TestAfterIsForServers(t *testing.T) {
	c := newClock(rule(func(r *Rule) { r.After, r.Gather = 3, 0 }))
	c.server("web/a", event.Down)
	c.Handle(&event.Event{At: c.now, Kind: event.KindService, Subject: "web", To: event.Down})
	c.run(time.Minute)
	c.expect(t, "0s ops: web is DOWN")
	if look := c.Failed("web/a", c.now, "refused"); !look {
		t.Error("a failure that counts needs a look")
	}
	c.Failed("web/a", c.now, "refused")
	if look := c.Failed("web/a", c.now, "refused"); look {
		t.Error("a failure after the first notice needs none")
	}
}

// Reloads that come more often than notices do not put them off.
func TestReloadKeepsGathering(t *testing.T) {
	c := newClock(rule(nil))
	c.server("web/a", event.Down)
	for i := range 10 {
		c.run(time.Duration(i) * time.Second)
		c.Configure([]Rule{rule(nil)})
	}
	c.run(time.Hour)
	c.expect(t, "5s ops: web/a is DOWN: refused")
}

// A failure does not make a rule silent about itself.
func TestUnlessOfItself(t *testing.T) {
	c := newClock(rule(func(r *Rule) { r.Unless, r.Gather = [][]string{{"hosts/*"}}, 0 }))
	c.server("hosts/router", event.Down)
	c.server("web/a", event.Down)
	c.run(time.Minute)
	c.expect(t, "0s ops: hosts/router is DOWN: refused")
}

// BenchmarkTake is what one event costs while thousands of servers fail.
func BenchmarkTake(b *testing.B) {
	c := newClock(rule(func(r *Rule) { r.Unless = [][]string{{"hosts/*"}} }))
	for i := range 5000 {
		c.server(fmt.Sprintf("web/%04d", i), event.Down)
	}
	for b.Loop() {
		c.Take(c.now)
	}
}
