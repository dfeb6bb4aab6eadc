package checker

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/checker/probe"
)

// A warner answers well or not, and warns.
type warner struct {
	mu   sync.Mutex
	well bool
	text string
}

func (w *warner) Probe(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.well {
		return errors.New("no answer")
	}
	return nil
}

func (w *warner) Warning() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text
}

func (w *warner) become(well bool, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.well, w.text = well, text
}

// A warning is that of the latest good answer: a failure neither has one nor takes
// it back.
func TestWarnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &warner{well: true, text: "it will end"}
		s := New(Options{NewProber: func(Config) probe.Prober { return w }, Rand: func() float64 { return 0 }})
		defer s.Close()
		if err := s.Apply([]Config{second("web/rs1", 1)}); err != nil {
			t.Fatal(err)
		}
		check := func(when, inLast string, want ...Warning) {
			t.Helper()
			time.Sleep(time.Second)
			synctest.Wait()
			if diff := cmp.Diff(want, s.Warnings()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
			if got := s.Status()[0].Last.Warning; got != inLast {
				t.Errorf("%s: the last result has the warning %q, want %q", when, got, inLast)
			}
		}
		time.Sleep(500 * time.Millisecond) // between two attempts
		check("well", "it will end", Warning{"web/rs1", "it will end"})
		w.become(false, "it will end")
		check("not well", "", Warning{"web/rs1", "it will end"})
		w.become(true, "")
		check("renewed", "")
	})
}
