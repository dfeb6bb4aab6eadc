package status

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A MASTER hears nobody. Only what it has heard since it is one is shown.
func TestHeard(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := &Status{Now: now}
	for _, test := range []struct {
		state  string
		before time.Duration // from the last advert to now; 0: none came
		want   string
	}{
		{"BACKUP", 0, "nothing heard, "},
		{"BACKUP", 20 * time.Second, "heard 20s ago, "},
		{"MASTER", 0, ""},
		{"MASTER", 20 * time.Second, ""},
		{"MASTER", time.Second, "heard 1s ago, "},
	} {
		p := &Path{}
		if test.before > 0 {
			p.LastHeard = now.Add(-test.before)
		}
		if got := s.heard(&Instance{State: test.state, Since: now.Add(-10 * time.Second)}, p); got != test.want {
			t.Errorf("%s, %v ago: %q, want %q", test.state, test.before, got, test.want)
		}
	}
}

// A line of text has a few addresses. What it leaves out is counted.
func TestSomeOf(t *testing.T) {
	var all []string
	for n := range 30 {
		switch n {
		case 0, 1, maxShown:
			if got := someOf(all); got != strings.Join(all, " ") {
				t.Errorf("%d: %s", n, got)
			}
		}
		all = append(all, fmt.Sprintf("10.0.0.%d/32", n))
	}
	if want := strings.Join(all[:maxShown-1], " ") + " and 25 more"; someOf(all) != want {
		t.Errorf("%s, want %s", someOf(all), want)
	}
}
