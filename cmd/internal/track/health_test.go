package track

import (
	"cmp"
	"testing"
)

// Readings are + (good), - (bad) and l (timed out); states are u, d and ? (unknown).
func TestHealth(t *testing.T) {
	tests := []struct {
		name           string
		rise, fall     int
		readings, want string
		lateFall       int // 0: as fall
	}{
		{"at once", 1, 1, "+-+", "udu", 0},
		{"unknown until enough", 2, 3, "+---+-", "???ddd", 0},
		{"fall", 1, 3, "+--+---", "uuuuuud", 0},
		{"rise", 3, 1, "-++-+++", "ddddddu", 0},
		{"unknown down", 1, 2, "--", "?d", 0},
		{"late is bad", 1, 2, "+l-", "uud", 0},
		{"late is bad by itself", 1, 2, "+ll", "uud", 0},
		{"late counts less", 1, 2, "+lll+llll", "uuuuuuuud", 4},
		{"bad ones among the late", 1, 2, "+l-l-", "uuuud", 9},
		{"late repairs nothing", 2, 1, "-+l++", "ddddu", 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := health{rise: tt.rise, fall: tt.fall, lateFall: cmp.Or(tt.lateFall, tt.fall)}
			got, before := "", h.state
			for _, r := range tt.readings {
				changed := h.record(r == '+', r == 'l')
				if changed != (h.state != before) {
					t.Errorf("after %q: changed %v, from %v to %v", got, changed, before, h.state)
				}
				before = h.state
				got += map[State]string{Unknown: "?", Up: "u", Down: "d"}[h.state]
			}
			if got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.readings, got, tt.want)
			}
		})
	}
}

func TestEffect(t *testing.T) {
	number := func(n int, s State) Standing { return Standing{State: s, Number: n, Numeric: true} }
	tests := []struct {
		name   string
		s      Standing
		weight int
		want   Effect
	}{
		{"fault", Standing{State: Down}, 0, Effect{Fault: true}},
		{"no fault", Standing{State: Up}, 0, Effect{}},
		{"unknown is up", Standing{}, 0, Effect{}},
		{"lower", Standing{State: Down}, -50, Effect{Add: -50}},
		{"not lower", Standing{State: Up}, -50, Effect{}},
		{"unknown does not lower", Standing{}, -50, Effect{}},
		{"raise", Standing{State: Up}, 20, Effect{Add: 20}},
		{"not raise", Standing{State: Down}, 20, Effect{}},
		{"unknown raises", Standing{}, 20, Effect{Add: 20}},
		{"number", number(3, Down), -10, Effect{Add: -30}},
		{"number raises", number(3, Down), 10, Effect{Add: 30}},
		{"number zero", number(0, Up), -10, Effect{}},
		{"number faults", number(1, Down), 0, Effect{Fault: true}},
		{"number at the limit", number(127, Down), -2, Effect{Fault: true}},
		{"number below the limit", number(253, Down), -1, Effect{Add: -253}},
		{"huge number", number(1<<62, Down), -253, Effect{Fault: true}},
		{"huge negative number", number(-1<<62, Down), -1, Effect{Add: 1000}},
	}
	for _, tt := range tests {
		if got := tt.s.On(tt.weight); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
