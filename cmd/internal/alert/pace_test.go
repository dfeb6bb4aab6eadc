package alert

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/internal/event"
)

// Each rule is one of mon, and the runs are 10 s apart: a word is the first line of a
// failed one, and "-" is a good one. What is told is what mon 1.3.6 tells.
func TestPaceOfMon(t *testing.T) {
	const good, sum = "-", ChangeSummary
	closed := func(t time.Time) bool { return t.Sub(start) < 25*time.Second }
	tests := []struct {
		name   string
		change func(*Rule)
		runs   string
		want   string
	}{
		{"every failure", nil, "- a a b - a", "10:a 20:a 30:b 40:up(b) 50:a"},
		{"alertevery", func(r *Rule) { r.Every, r.Change = 25*time.Second, sum }, "a a a a", "0:a 30:a"},
		{"alertevery and another summary", func(r *Rule) { r.Every, r.Change = time.Hour, sum }, "a a b b", "0:a 20:b"},
		{"alertevery ignore_summary", func(r *Rule) { r.Every, r.Change = time.Hour, ChangeNone }, "a a b b - b", "0:a 40:up(b) 50:b"},
		{"alertevery strict", func(r *Rule) { r.Every, r.Strict = 35*time.Second, true }, "a - a - a", "0:a 10:up(a) 40:a"},
		{"alertafter 3", func(r *Rule) { r.After = 3 }, "a a - a a a a", "50:a 60:a"},
		{"alertafter 25s", func(r *Rule) { r.Hold = 25 * time.Second }, "a a a a a", "30:a 40:a"},
		{"alertafter 2 15s", func(r *Rule) { r.After, r.Within = 2, 15*time.Second }, "a - a a a a", "30:a 50:a"},
		{"numalerts 2", func(r *Rule) { r.Limit = 2 }, "a a a - a", "0:a 10:a 30:up(a) 40:a"},
		{"upalert only after an alert", func(r *Rule) { r.After = 2 }, "a - a a -", "30:a 40:up(a)"},
		{"no_comp_alerts", func(r *Rule) { r.After, r.Unpaired = 2, true }, "a - a - a a - a -", "10:up(a) 50:a 60:up(a)"},
		{"no upalert", func(r *Rule) { r.Recovery = false }, "a -", "0:a"},
		{"period", func(r *Rule) { r.Open = closed }, "a a - a a -", "0:a 10:a 20:up(a)"},
		{"recovery out of the period", func(r *Rule) { r.Open = closed }, "a a a - a", "0:a 10:a 20:a"},
		{"exit=2", func(r *Rule) { r.Exit = Statuses{{2, 2}} }, "a b2 b2 - b2 a -", "10:b2 20:b2 30:up(b2) 40:b2 60:up(a)"},
		{"exit=2-3 with alertevery", func(r *Rule) {
			r.Exit, r.Every, r.Change = Statuses{{2, 3}}, time.Hour, ChangeNone
		}, "a b2 b3 -", "10:b2 30:up(b3)"},
		{"exit=2 beside exit=1", func(r *Rule) {
			r.Exit, r.OtherExit, r.Every = Statuses{{2, 2}}, Statuses{{1, 1}}, time.Hour
		}, "a b2 - b2", "20:up(b2) 30:b2"},
		{"ack", nil, "a A a b -", "0:a 40:up(b)"},
		{"ackalert", func(r *Rule) { r.Acks = true }, "a A a -", "0:a 10:ack(a) 30:up(a)"},
		{"ackalert needs an alert", func(r *Rule) { r.Acks, r.After = true, 3 }, "a A a -", ""},
		{"ackalert, no_comp_alerts", func(r *Rule) { r.Acks, r.After, r.Unpaired = true, 3, true }, "a A a -", "10:ack(a) 30:up(a)"},
		{"ackalert counts", func(r *Rule) { r.Acks, r.AckUntilChange, r.Limit = true, true, 2 }, "a A b b -", "0:a 10:ack(a) 40:up(b)"},
		{"unack_summary", func(r *Rule) { r.AckUntilChange, r.Every = true, time.Hour }, "a A a b b -", "0:a 30:b 50:up(b)"},
		{"unack_summary, alertafter 2", func(r *Rule) { r.AckUntilChange, r.After = true, 2 }, "a a A b b -", "10:a 40:b 50:up(b)"},
		{"startupalert", func(r *Rule) { r.Startup = true }, "S - a -", "0:startup 20:a 30:up(a)"},
		{"startupalert counts", func(r *Rule) { r.Startup, r.Limit = true, 2 }, "S a a - a", "0:startup 10:a 30:up(a) 40:a"},
		{"startupalert, alertevery strict", func(r *Rule) { r.Startup, r.Every = true, 15*time.Second }, "S a a a", "0:startup 20:a"},
		{"redistribute", func(r *Rule) { r.Pace = PaceRun }, "- a a - -", "0:up((NO SUMMARY)) 10:a 20:a 30:up(a) 40:up()"},
		{"trapduration", nil, "a L a -", "0:a 20:a 30:up(a)"},
		{"trapduration, then up", nil, "a L - a", "0:a 30:a"},
		{"depend on one of two", func(r *Rule) { r.Unless = [][]string{{"router:ping", "isp:ping"}} }, "a R a r a", "0:a 10:a 20:a 40:a"},
		{"depend on what has failed", func(r *Rule) { r.Unless = [][]string{{"!router:ping"}} }, "a R a r a", "10:a 20:a"},
		{"depend", func(r *Rule) { r.Unless = [][]string{{"router:ping"}} }, "a R a r a", "0:a 40:a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Rule{Name: "ops", Kinds: []string{event.KindService}, Subjects: []string{"web:http"}, Recovery: true, Pace: PaceCheck}
			if tt.change != nil {
				tt.change(&r)
			}
			e := New()
			e.Configure([]Rule{r})
			var said []string
			for i, word := range strings.Fields(tt.runs) {
				now := start.Add(time.Duration(i) * 10 * time.Second)
				run := Run{Service: "web:http", At: now, Status: 1, Output: word + "\ndetail\n"}
				if len(word) == 2 {
					run.Status = int(word[1] - '0')
				}
				switch word {
				case "A":
					if _, err := e.Ack("web:http", Ack{By: "me"}, now); err != nil {
						t.Fatal(err)
					}
				case "S":
					e.Start(now, false, []Run{{Service: "web:http", Hosts: []string{"www1"}}})
				case "L":
					e.Lapse("web:http")
				case "R", "r":
					e.Handle(&event.Event{At: now, Kind: event.KindService, Subject: "router:ping", To: map[string]string{"R": event.Down, "r": event.Up}[word]})
					run.Output = "a\n"
				case good:
					run.Status, run.Output = 0, ""
				}
				if !slices.Contains([]string{"r", "A", "S", "L"}, word) { // the router comes back between two runs
					e.Ran(&run)
				}
				// Nothing but a run leads to a message.
				for _, at := range []time.Time{now, now.Add(5 * time.Second)} {
					notices, _ := e.Take(at)
					for _, n := range notices {
						said = append(said, describe(&n, now))
					}
				}
			}
			if got := strings.Join(said, " "); got != tt.want {
				t.Errorf("%s\ngot  %s\nwant %s", tt.runs, got, tt.want)
			}
		})
	}
}

func describe(n *Notice, at time.Time) string {
	text := fmt.Sprintf("%d:", int(at.Sub(start).Seconds()))
	switch n.Call {
	case CallStartup:
		return text + "startup"
	case CallAck:
		return text + "ack(" + n.Down[0].Told.Summary + ")"
	}
	for _, e := range n.Up {
		return text + "up(" + e.Told.Summary + ")"
	}
	return text + n.Down[0].Told.Summary
}

// What alerts are told of the runs before.
func TestToldOfRuns(t *testing.T) {
	e := New()
	e.Configure([]Rule{{Name: "ops", Kinds: []string{event.KindService}, Recovery: true, Pace: PaceCheck}})
	var last *event.Run
	for i, output := range []string{"", "www1\nrefused\n", "\n", ""} {
		status := 0
		if output != "" {
			status = 1
		}
		now := start.Add(time.Duration(i) * time.Minute)
		e.Ran(&Run{Service: "web:http", At: now, Status: status, Output: output, Hosts: []string{"www1"}})
		notices, _ := e.Take(now)
		for _, n := range notices {
			last = append(n.Down, n.Up...)[0].Told
		}
		switch i {
		case 1:
			if last.Summary != "www1" || last.Output != output || *last.Before != "" || !last.LastSuccess.Equal(start) || !last.FirstFailure.Equal(now) {
				t.Errorf("the first alert: %+v", last)
			}
		case 2:
			if last.Summary != "(NO SUMMARY)" || *last.Before != "www1\nrefused\n" || !last.LastFailure.Equal(now) || !last.FirstFailure.Equal(now.Add(-time.Minute)) {
				t.Errorf("the second alert: %+v", last)
			}
		case 3:
			if last.Status != 0 || last.Output != "\n" || !last.LastFailure.Equal(now.Add(-time.Minute)) || !last.FirstFailure.Equal(now.Add(-2*time.Minute)) {
				t.Errorf("the recovery: %+v", last)
			}
		}
	}
}

// An acknowledged failure is not told again; its recovery is. A service that a reload
// removes has recovered.
func TestPaceAckAndRemoval(t *testing.T) {
	c := newClock(Rule{Name: "ops", Kinds: []string{event.KindService}, Recovery: true, Pace: PaceCheck})
	ran := func(status int) { c.Ran(&Run{Service: "web:http", At: c.now, Status: status, Output: "a\n"}) }
	ran(1)
	c.run(10 * time.Second)
	if _, err := c.Ack("web:http", Ack{By: "me"}, c.now); err != nil {
		t.Fatal(err)
	}
	ran(1)
	c.run(20 * time.Second)
	if open := c.Open(); len(open) != 1 || open[0].Failures != 2 || open[0].Acked.By != "me" {
		t.Errorf("open %+v", open)
	}
	ran(0)
	c.run(30 * time.Second)
	ran(1)
	c.run(40 * time.Second)
	c.SetExists(c.now, func(string, string) bool { return false })
	c.run(50 * time.Second)
	c.expect(t, "0s ops: web:http is DOWN: a", "20s ops: web:http is well again", "30s ops: web:http is DOWN: a", "40s ops: web:http is well again")
}
