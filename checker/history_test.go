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
	for i := range 2*keptResults - 4 { // 1 to 124 ms; the ring keeps 61 to 124
		h.add(&Result{OK: true, Took: time.Duration(i+1) * time.Millisecond})
	}
	if got, want := h.String(), strings.Repeat("+", keptResults); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	if diff := cmp.Diff(&Latency{ms(92), ms(118), ms(124), ms(124), keptResults}, h.latency()); diff != "" {
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
