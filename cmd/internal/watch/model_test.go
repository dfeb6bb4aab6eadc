package watch

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"holdfast/checker"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/lvs"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// shown is a model of a director with virtual routers, and services with three servers
// each. The last router and the server rs1 of web1 are unwell.
func shown(routers, services int) *model {
	s := &status.Status{Director: "lvs1", Software: "1.2.3", Now: noon, Started: noon.Add(-time.Hour), LVS: &status.LVS{}}
	for i := range routers {
		s.VRRP = append(s.VRRP, status.Instance{Name: fmt.Sprintf("r%d", i), State: "MASTER", Since: noon, Addresses: []string{"10.0.0.1/24"}})
	}
	s.VRRP[routers-1].State = "FAULT"
	for i := range services {
		v := lvs.ServiceStatus{Name: fmt.Sprintf("web%d", i), Wanted: true, Present: true, ServersTotal: 3}
		for j := range 3 {
			v.Servers = append(v.Servers, lvs.ServerStatus{Name: fmt.Sprintf("rs%d", j), Health: "up", Present: true})
		}
		s.LVS.Services = append(s.LVS.Services, v)
	}
	if services > 1 {
		s.LVS.Services[1].Servers[1].Health = "down"
		s.Checks = []checker.Status{{ID: "web1/rs1", Server: "web1/rs1", State: checker.Down, Failures: []checker.Result{{At: noon.Add(-4 * time.Second), Reason: "status 503"}}}}
	}
	m := &model{worst: true, width: 80, height: 24}
	m.update(s, nil)
	return m
}

// press gives keys to a model, by their names.
func press(m *model, keys ...string) action {
	var last action
	for _, key := range keys {
		last = m.key(key, key)
	}
	return last
}

func selected(m *model) string {
	r, _ := m.current()
	if len(r.cells) == 0 {
		return ""
	}
	return r.cells[0]
}

func TestSort(t *testing.T) {
	m := shown(3, 2)
	if got := selected(m); got != "r2" {
		t.Errorf("first is %s", got)
	}
	press(m, "s")
	if got := selected(m); got != "r0" {
		t.Errorf("as configured, first is %s", got)
	}
}

func TestMove(t *testing.T) {
	m := shown(40, 0)
	press(m, "s")
	for _, step := range []struct{ key, want string }{
		{"up", "r0"}, {"down", "r1"}, {"j", "r2"}, {"k", "r1"}, {"end", "r39"}, {"down", "r39"}, {"home", "r0"}, {"pgdown", fmt.Sprintf("r%d", m.room())}, {"pgup", "r0"},
	} {
		press(m, step.key)
		if got := selected(m); got != step.want {
			t.Errorf("after %s it is %s, want %s", step.key, got, step.want)
		}
	}
}

func TestFilter(t *testing.T) {
	m := shown(30, 0)
	press(m, "/", "R", "2", "9", "enter")
	if len(m.rows()) != 1 || selected(m) != "r29" {
		t.Errorf("the filter %q leaves %d rows", m.filter, len(m.rows()))
	}
	press(m, "/", "backspace", "esc")
	if len(m.rows()) != 30 {
		t.Errorf("without the filter there are %d rows", len(m.rows()))
	}
	if a := press(m, "/", "q"); a.quit || m.filter != "q" {
		t.Error("a letter of the filter was a command")
	}
}

// Only y after the question orders something.
func TestDrain(t *testing.T) {
	m := shown(1, 3)
	if press(m, "d"); m.question != nil {
		t.Error("a virtual router can be drained")
	}
	press(m, "2", "enter")
	if m.opened != "web1" || selected(m) != "rs1" {
		t.Fatalf("%s of %s is selected", selected(m), m.opened)
	}
	if view := m.view(); !strings.Contains(view, "4s ago: status 503") {
		t.Errorf("the last failure is not there:\n%s", view)
	}
	for _, no := range []string{"n", "enter", "esc", "d", "q"} {
		if a := press(m, "d", no); a.order != nil || a.quit || m.question != nil {
			t.Errorf("%s: %+v", no, a)
		}
	}
	if press(m, "d"); !strings.Contains(m.view(), "drain rs1 of web1? y/N") {
		t.Error("there is no question")
	}
	if a := press(m, "y"); a.order == nil || *a.order != (Order{"drain", "web1", "rs1"}) {
		t.Errorf("ordered: %+v", a.order)
	}
	if a := press(m, "e", "y"); a.order == nil || a.order.Verb != "enable" {
		t.Errorf("ordered: %+v", a.order)
	}
	if press(m, "esc"); m.opened != "" || selected(m) != "web1" {
		t.Errorf("back at %s", selected(m))
	}
}

// A service that is only checked is shown as it is, with its quorum.
func TestOnlyChecked(t *testing.T) {
	m := shown(1, 1)
	v := &m.status.LVS.Services[0]
	v.Active, v.Wanted, v.Present, v.ServersUp, v.Health, v.WeightUp, v.Quorum = "never", false, false, 1, "down", 1, 2
	press(m, "2")
	if view := m.view(); !strings.Contains(view, "1 of 3 up") || !strings.Contains(view, "down: weight 1 of a quorum of 2") {
		t.Errorf("the view is\n%s", view)
	}
}

// The question stays about its server when a newer status moves the rows.
func TestQuestionStays(t *testing.T) {
	m := shown(1, 3)
	press(m, "2", "enter", "d")
	newer := shown(1, 3).status
	newer.LVS.Services[1].Servers = newer.LVS.Services[1].Servers[2:]
	m.update(newer, nil)
	if a := press(m, "y"); a.order == nil || a.order.Server != "rs1" {
		t.Errorf("ordered: %+v", a.order)
	}
}

// While no daemon answers, the old state stays, and it is said.
func TestNotRunning(t *testing.T) {
	m := shown(1, 0)
	m.update(nil, errors.New("holdfast is not running: there is no control socket"))
	if view := m.view(); !strings.Contains(view, "holdfast is not running") || !strings.Contains(view, "(old)") || !strings.Contains(view, "r0") {
		t.Errorf("the view is\n%s", view)
	}
	m.update(shown(1, 0).status, nil)
	if view := m.view(); strings.Contains(view, "not running") || strings.Contains(view, "(old)") {
		t.Errorf("then the view is\n%s", view)
	}
}

func TestEventsAreBounded(t *testing.T) {
	m := shown(1, 0)
	press(m, "4")
	for i := range 3 {
		var more []event.Event
		for j := range 300 {
			more = append(more, event.Event{At: noon, Kind: event.KindConfig, Subject: fmt.Sprint(300*i + j), Reason: "why"})
		}
		m.add(more)
	}
	if r, _ := m.current(); len(m.events) != maxEvents || r.cells[2] != "899" {
		t.Errorf("there are %d events, %v is selected", len(m.events), r.cells)
	}
	press(m, "up")
	m.add([]event.Event{{At: noon, Kind: event.KindConfig, Subject: "900"}})
	if selected(m) == "900" {
		t.Error("an event moves the selection away")
	}
}

// Whatever the size, the view fits.
func TestViewFits(t *testing.T) {
	for _, size := range [][2]int{{0, 0}, {1, 1}, {10, 3}, {60, 20}, {80, 24}, {120, 40}} {
		m := shown(1000, 20)
		m.width, m.height = size[0], size[1]
		for _, keys := range [][]string{{}, {"2"}, {"enter"}, {"d"}, {"n", "3"}, {"4"}, {"?"}, {"x", "/", "w"}} {
			press(m, keys...)
			lines := strings.Split(m.view(), "\n")
			if len(lines) > max(1, size[1]) {
				t.Errorf("%v after %v: %d lines", size, keys, len(lines))
			}
			for _, line := range lines {
				plain := strings.NewReplacer("\x1b[7m", "", "\x1b[0m", "").Replace(line)
				if utf8.RuneCountInString(plain) > size[0] && size[0] >= 60 {
					t.Errorf("%v after %v is too wide: %q", size, keys, line)
				}
			}
		}
	}
}
