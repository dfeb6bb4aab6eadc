package status

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"holdfast/checker"
	"holdfast/lvs"
)

// crowd is the status of a director with many virtual routers and services, of which
// the last ones are unwell.
func crowd(routers, services, servers int) *Status {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := &Status{Director: "lvs1", Software: "1.2.3", Now: now, Started: now, Realtime: true, Config: Config{Path: "/etc/holdfast/holdfast.toml", LoadedAt: now}}
	for i := range routers {
		s.VRRP = append(s.VRRP, Instance{
			Name: fmt.Sprintf("router%d", i), State: "MASTER", Interface: "eth0", Device: fmt.Sprintf("vrrp4-%d", i%255), VRID: i % 255, Priority: 150, EffectivePriority: 150,
			IntervalMS: 100, Addresses: []string{fmt.Sprintf("10.0.%d.%d/24", i/250, i%250)},
		})
	}
	if routers > 0 {
		s.VRRP[routers-1].State = "FAULT"
	}
	if services > 0 {
		s.LVS = &LVS{}
	}
	for i := range services {
		v := lvs.ServiceStatus{Name: fmt.Sprintf("service%d", i), Service: fmt.Sprintf("tcp 10.0.0.%d:80", i), Scheduler: "wlc", Wanted: true, Present: true, ServersTotal: servers, ServersUp: servers}
		for j := range servers {
			r := lvs.ServerStatus{Name: fmt.Sprintf("rs%d", j), Address: fmt.Sprintf("192.168.%d.%d:80", i, j), Forward: "nat", Health: "up", Configured: 1, Weight: 1, Present: true}
			state := checker.Up
			if i == services-1 && j == 0 {
				r.Health, state = "down", checker.Down
				v.ServersUp--
			}
			v.Servers = append(v.Servers, r)
			s.Checks = append(s.Checks, checker.Status{ID: v.Name + "/" + r.Name, Kind: "http", State: state})
		}
		s.LVS.Services = append(s.LVS.Services, v)
	}
	return s
}

// One screen shows what is unwell, whatever else there is.
func TestOneScreen(t *testing.T) {
	for _, size := range []struct{ width, height int }{{80, 23}, {120, 39}, {60, 19}} {
		for _, many := range [][3]int{{2, 1, 2}, {50, 0, 0}, {1000, 0, 0}, {2, 20, 10}, {1000, 20, 10}} {
			s := crowd(many[0], many[1], many[2])
			text := s.Render(Look{Width: size.width, Height: size.height})
			if got := strings.Count(text, "\n"); got > size.height {
				t.Errorf("%v on %v has %d lines:\n%s", many, size, got, text)
			}
			for line := range strings.Lines(text) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > size.width {
					t.Errorf("%v on %v: %d columns: %s", many, size, n, line)
				}
			}
			for _, want := range []string{fmt.Sprintf("router%d is in FAULT", many[0]-1), "FAULT"} {
				if !strings.Contains(text, want) {
					t.Errorf("%v on %v does not say %q:\n%s", many, size, want, text)
				}
			}
			if many[1] > 0 && !regexp.MustCompile(`-> rs0 .*down`).MatchString(text) {
				t.Errorf("%v on %v does not show the server that is down:\n%s", many, size, text)
			}
		}
	}
}

// A service that is only checked, and down, is among what is shown first.
func TestOnlyCheckedIsShown(t *testing.T) {
	s := crowd(1, 20, 1)
	last := &s.LVS.Services[19]
	last.Active, last.Wanted, last.Present = "never", false, false
	if text := s.Render(Look{Width: 100, Height: 12}); !strings.Contains(text, "  service19 ") {
		t.Errorf("it is not there:\n%s", text)
	}
}

// The sum of what is left out is right.
func TestSummedUp(t *testing.T) {
	s := crowd(1000, 0, 0)
	s.VRRP[3].State = "BACKUP"
	text := s.Render(Look{Width: 100, Height: 20})
	shown := strings.Count(text, "  router")
	if want := fmt.Sprintf("and %d more: 1 BACKUP, %d MASTER", 1000-shown, 999-shown); !strings.Contains(text, want) && !strings.Contains(text, fmt.Sprintf("and %d more: %d MASTER", 1000-shown, 1000-shown)) {
		t.Errorf("%d are shown, and not %q:\n%s", shown, want, text)
	}
	if whole := s.Render(Look{Section: SectionVRRP, Width: 100, Height: 20}); strings.Count(whole, "  router") != 1000 {
		t.Error("the section does not show all")
	}
}

var escape = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Colours change nothing but the colour.
func TestColours(t *testing.T) {
	plain, coloured := canned().Render(Look{Width: 90}), canned().Render(Look{Width: 90, Colour: true})
	if got := escape.ReplaceAllString(coloured, ""); got != plain {
		t.Errorf("without colours it is\n%s\nand with them\n%s", plain, got)
	}
	for _, want := range []string{"\x1b[32mMASTER\x1b[0m", "\x1b[1;31mFAULT\x1b[0m", "\x1b[1;31m  UNWELL: "} {
		if !strings.Contains(coloured, want) {
			t.Errorf("there is no %q", want)
		}
	}
}

// What a server answers does not steer the terminal.
func TestControlCharacters(t *testing.T) {
	s := crowd(1, 0, 0)
	s.VRRP[0].Name = "a\x1b[2J"
	s.VRRP[0].Reasons = []Reason{{Key: "x", Text: "said \x1b]0;me\x07\u009b2J"}}
	if text := s.Render(Look{}); strings.ContainsAny(text, "\x1b\x07\u009b\x00") {
		t.Errorf("%q", text)
	}
}
