package probe

import "testing"

func TestWeightOf(t *testing.T) {
	for _, c := range []struct {
		weight       string
		before, want int
	}{
		{"7", 5, 7},
		{"0", 5, 0},
		{"70000", 5, MaxWeight},
		{"50%", 10, 5},
		{"50%", 1, 1}, // not 0: the server is to get something
		{"0%", 10, 0},
		{"200%", 10, 20},
		{"1000000%", 65535, MaxWeight},
		{"+3", 5, 8},
		{"-3", 5, 2},
		{"-9", 5, 0},
	} {
		w, err := ParseWeight(c.weight)
		if err != nil {
			t.Fatal(err)
		}
		if w.String() != c.weight {
			t.Errorf("%q became %q", c.weight, w)
		}
		if got := w.Of(c.before); got != c.want {
			t.Errorf("%s of %d is %d, want %d", w, c.before, got, c.want)
		}
	}
}

func TestParseWeightRefuses(t *testing.T) {
	for _, text := range []string{"", "%", "-5%", "five", "5 %", "+", "99999999999999999999"} {
		if w, err := ParseWeight(text); err == nil {
			t.Errorf("%q is %v", text, w)
		}
	}
}
