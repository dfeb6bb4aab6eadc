package checker

import (
	"strings"
	"testing"
)

// TestHealth feeds results ("+" good, "-" bad) and notes after each the state
// (u unknown, U up, D down), with ! where a verdict was made and ? while one is
// pending.
func TestHealth(t *testing.T) {
	tests := []struct {
		name       string
		rise, fall int
		up         bool // assumed
		results    string
		want       string
	}{
		{"one good check brings a new server up", 1, 2, false, "+", "U!"},
		{"a new server needs rise", 3, 2, false, "+++", "u? u? U!"},
		{"a bad check is news of a new server at once", 1, 3, false, "-", "D!"},
		{"a new server whose rise breaks is down", 2, 3, false, "+-++", "u? D! D? U!"},
		{"more bad checks are no news", 1, 3, false, "---", "D! D D"},
		{"a server in the table is confirmed by one", 3, 2, true, "+", "U!"},
		{"a server in the table falls after fall", 1, 3, true, "---", "u? u? D!"},
		{"down after fall", 1, 2, false, "+--", "U! U? D!"},
		{"failures must be in a row", 1, 2, false, "+-+-+--", "U! U? U U? U U? D!"},
		{"up again after rise", 2, 1, false, "++-+-++", "u? U! D! D? D D? U!"},
		{"fall 1 and rise 1 follow each result", 1, 1, false, "+-+-", "U! D! U! D!"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := health{rise: tt.rise, fall: tt.fall, up: tt.up}
			if h.pending() {
				t.Error("pending before any result")
			}
			var got []string
			for _, r := range tt.results {
				verdict := h.observe(r == '+')
				word := map[State]string{Unknown: "u", Up: "U", Down: "D"}[h.state()]
				if verdict {
					word += "!"
				}
				if h.pending() {
					word += "?"
				}
				got = append(got, word)
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestHealthAdopts joins a question that was asked before: the streak counts as
// seen.
func TestHealthAdopts(t *testing.T) {
	tests := []struct {
		name    string
		good    bool
		streak  int
		verdict bool
		state   State
	}{
		{"nothing yet", true, 0, false, Unknown},
		{"less than rise", true, 2, false, Unknown},
		{"rise", true, 3, true, Up},
		{"more", true, 99, true, Up},
		{"bad", false, 1, true, Down},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := health{rise: 3, fall: 2}
			if got := h.adopt(tt.good, tt.streak); got != tt.verdict || h.state() != tt.state {
				t.Errorf("verdict %v, state %s; want %v, %s", got, h.state(), tt.verdict, tt.state)
			}
			if h.streak != tt.streak {
				t.Errorf("streak %d, want %d", h.streak, tt.streak)
			}
		})
	}
}
