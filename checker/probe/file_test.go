package probe

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// A shelf has one number on it.
type shelf struct {
	n       int
	problem string
	hold    chan struct{} // nil, or closed when reading may go on
}

func (s *shelf) Number(string) (int, string) {
	if s.hold != nil {
		<-s.hold
	}
	return s.n, s.problem
}

func (s *shelf) Watch(string, func()) (stop func()) { return func() {} }

func TestFile(t *testing.T) {
	tests := []struct {
		name    string
		s       File
		on      shelf
		reason  string
		weight  string
		warning string
	}{
		{name: "zero"},
		{name: "another number", on: shelf{n: 3}, reason: "/f contains 3"},
		{name: "zero reversed", s: File{Reverse: true}, reason: "/f contains 0"},
		{name: "another number reversed", s: File{Reverse: true}, on: shelf{n: 1}},
		{name: "weight", s: File{Weight: 2}, on: shelf{n: 5}, weight: "+10"},
		{name: "weight of zero", s: File{Weight: 2}, weight: "+0"},
		{name: "reversed weight", s: File{Weight: 2, Reverse: true}, on: shelf{n: 5}, weight: "-10"},
		{name: "the least product", s: File{Weight: -1}, on: shelf{n: math.MaxInt32}, weight: "-2147483647"},
		{name: "a product that fails", s: File{Weight: 1}, on: shelf{n: math.MinInt32}, reason: "/f contains -2147483648, which times 1 is a failure"},
		{name: "a product beyond 64 bits", s: File{Weight: -math.MaxInt32}, on: shelf{n: math.MaxInt}, reason: "/f contains 9223372036854775807, which times -2147483647 is a failure"},
		{name: "missing", on: shelf{problem: "/f is missing"}, warning: "/f is missing, which counts as 0"},
		{name: "missing is a failure", s: File{Missing: 1}, on: shelf{problem: "/f is missing"}, reason: "/f is missing, which counts as 1"},
		{name: "missing has a weight", s: File{Missing: -3, Weight: 1}, on: shelf{problem: "/f is empty"}, weight: "-3", warning: "/f is empty, which counts as -3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.s.File = "/f"
			p := (&Tools{Files: &tt.on}).Prober(tt.s, Target{})
			w, err := p.(Weigher).ProbeWeight(t.Context())
			reason, weight, warning := "", "", p.(Warner).Warning()
			if err != nil {
				reason, warning = err.Error(), ""
			}
			if w != nil {
				weight = w.String()
			}
			if reason != tt.reason || weight != tt.weight || warning != tt.warning {
				t.Errorf("reason %q, weight %q, warning %q\nwant   %q, weight %q, warning %q", reason, weight, warning, tt.reason, tt.weight, tt.warning)
			}
		})
	}
}

// A read that does not return, from a dead file server, ends with the timeout, and
// no second one begins beside it.
func TestFileHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := &shelf{hold: make(chan struct{})}
		p := (&Tools{Files: on}).Prober(File{File: "/f"}, Target{})
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			err := p.Probe(ctx)
			cancel()
			if !IsInconclusive(err) || err.Error() != "reading /f takes very long" {
				t.Fatalf("error %v", err)
			}
		}
		close(on.hold)
		synctest.Wait() // until the read has returned
		if err := p.Probe(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
