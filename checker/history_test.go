package checker

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHistory(t *testing.T) {
	var h history
	if h.String() != "" || h.latency() != nil {
		t.Errorf("empty: %q, %+v", h.String(), h.latency())
	}
	for _, r := range []Result{{OK: true, Took: 3 * time.Millisecond}, {}, {Inconclusive: true}, {Unsent: true}} {
		h.add(&r)
	}
	if got, want := h.String(), "+-?!"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	three := 3 * time.Millisecond
	if diff := cmp.Diff(&Latency{three, three, three, three, 1}, h.latency()); diff != "" {
		t.Errorf("of one (-want +got):\n%s", diff)
	}
	step := func(n int) time.Duration { return time.Duration(n) * 512 * time.Microsecond } // exact
	for i := range 2*keptResults - 4 {                                                     // 1 to 124 steps; the ring keeps 61 to 124
		h.add(&Result{OK: true, Took: step(i + 1)})
	}
	if got, want := h.String(), strings.Repeat("+", keptResults); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if diff := cmp.Diff(&Latency{step(92), step(118), step(124), step(124), keptResults}, h.latency()); diff != "" {
		t.Errorf("of a full ring (-want +got):\n%s", diff)
	}
	h.add(&Result{})
	if got, want := h.String(), strings.Repeat("+", keptResults-1)+"-"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if n := testing.AllocsPerRun(100, func() { h.add(&Result{OK: true}) }); n != 0 {
		t.Errorf("%v allocations a result", n)
	}
}

func TestSpan(t *testing.T) {
	last := span(0)
	for _, d := range []time.Duration{0, time.Microsecond, 2047 * time.Microsecond, 3 * time.Millisecond, 5001 * time.Microsecond, time.Second, time.Hour} {
		s := spanOf(d)
		if got := s.duration(); got > d || d-got > d/1000 {
			t.Errorf("%v becomes %v", d, got)
		}
		if s < last {
			t.Errorf("%v is less than what is shorter", d)
		}
		last = s
	}
	if got := spanOf(100 * time.Hour).duration(); got < time.Hour {
		t.Errorf("what is too long becomes %v", got)
	}
	if got := spanOf(-time.Hour); got != 0 {
		t.Errorf("a negative duration becomes %v", got)
	}
}
