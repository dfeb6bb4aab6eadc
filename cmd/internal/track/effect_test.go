package track

import "testing"

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
