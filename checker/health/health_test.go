package health

import (
	"strings"
	"testing"
)

// TestHealth observes results ("+" good, "-" bad, "l" late) and notes the state
// after each (u unknown, U up, D down), with ! where a verdict was made and ?
// while one is pending.
func TestHealth(t *testing.T) {
	tests := []struct {
		name       string
		rise, fall int
		lateFall   int
		assumed    State
		results    string
		want       string
	}{
		{"one good check brings a new server up", 1, 2, 0, Down, "+", "U!"},
		{"a new server needs rise", 3, 2, 0, Down, "+++", "u? u? U!"},
		{"a bad check is news of a new server at once", 1, 3, 0, Down, "-", "D!"},
		{"a new server whose rise breaks is down", 2, 3, 0, Down, "+-++", "u? D! D? U!"},
		{"more bad checks are no news", 1, 3, 0, Down, "---", "D! D D"},
		{"a server in the table is confirmed by one", 3, 2, 0, Up, "+", "U!"},
		{"a server in the table falls after fall", 1, 3, 0, Up, "---", "u? u? D!"},
		{"down after fall", 1, 2, 0, Down, "+--", "U! U? D!"},
		{"failures must be in a row", 1, 2, 0, Down, "+-+-+--", "U! U? U U? U U? D!"},
		{"up again after rise", 2, 1, 0, Down, "++-+-++", "u? U! D! D? D D? U!"},
		{"fall 1 and rise 1 follow each result", 1, 1, 0, Down, "+-+-", "U! D! U! D!"},
		{"nothing assumed: at once", 1, 1, 0, Unknown, "+-+", "U! D! U!"},
		{"nothing assumed: the first verdict takes as many as another", 2, 3, 0, Unknown, "+---+-", "u u u D! D? D"},
		{"nothing assumed: bad ones", 1, 2, 0, Unknown, "--", "u D!"},
		{"late is bad", 1, 2, 0, Unknown, "+l-", "U! U? D!"},
		{"late is bad by itself", 1, 2, 0, Unknown, "+ll", "U! U? D!"},
		{"late counts less", 1, 2, 4, Unknown, "+lll+llll", "U! U? U? U? U U? U? U? D!"},
		{"bad ones among the late", 1, 2, 9, Unknown, "+l-l-", "U! U? U? U? D!"},
		{"late is no success", 2, 1, 3, Unknown, "-+l++", "D! D? D D? U!"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := Health{Rise: tt.rise, Fall: tt.fall, LateFall: tt.lateFall, Assumed: tt.assumed}
			if h.Pending() {
				t.Error("pending before any result")
			}
			var got []string
			for _, r := range tt.results {
				verdict := h.Observe(r == '+', r == 'l')
				word := map[State]string{Unknown: "u", Up: "U", Down: "D"}[h.State]
				if verdict {
					word += "!"
				}
				if h.Pending() {
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

// TestAdopt joins a question that was asked before: its results count as
// observed.
func TestAdopt(t *testing.T) {
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
			h := Health{Rise: 3, Fall: 2, Assumed: Down}
			if got := h.Adopt(Run{Good: tt.good, Streak: tt.streak}); got != tt.verdict || h.State != tt.state {
				t.Errorf("verdict %v, state %s; want %v, %s", got, h.State, tt.verdict, tt.state)
			}
			if h.Run.Streak != tt.streak {
				t.Errorf("streak %d, want %d", h.Run.Streak, tt.streak)
			}
		})
	}
}
