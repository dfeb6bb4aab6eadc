package checker

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/checker/probe"
)

// A bell is a Watcher whose answer the test sets.
type bell struct {
	mu      sync.Mutex
	state   error
	took    time.Duration
	asked   int
	changed func() // nil: nobody watches
}

func (b *bell) Watch(changed func()) (stop func()) {
	b.changed = changed
	return func() { b.changed = nil }
}

func (b *bell) Probe(ctx context.Context) error {
	b.mu.Lock()
	b.asked++
	state, took := b.state, b.took
	b.mu.Unlock()
	select {
	case <-time.After(took):
	case <-ctx.Done():
	}
	return state
}

func (b *bell) ring(state error) {
	b.mu.Lock()
	b.state = state
	b.mu.Unlock()
	b.changed()
}

// newBell makes a set whose checks all have this prober.
func newBell(t *testing.T, b *bell) *world {
	t.Helper()
	w := newWorld(t, Options{})
	w.set.newProber = func(Config) probe.Prober { return b }
	return w
}

func (b *bell) wantAsked(t *testing.T, want int) {
	t.Helper()
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asked != want {
		t.Errorf("%d attempts, want %d", b.asked, want)
	}
}

// A check that is told of changes asks at the start, and then only when it is told.
func TestTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bell{state: probe.Inconclusive(errors.New("no state yet"))}
		w := newBell(t, b)
		c := Default(probe.BFD{Session: "rs1"})
		c.ID, c.Fall = "a", 1
		w.apply(t, c)
		time.Sleep(time.Hour)
		b.wantAsked(t, 1)
		w.wantChanges(t)
		b.ring(nil)
		b.wantAsked(t, 2)
		w.wantChanges(t, "1h0m0s a up first: answered")
		time.Sleep(time.Second)
		b.ring(errors.New("the neighbour is silent"))
		w.wantChanges(t, "1h0m1s a down: the neighbour is silent")
		st := w.status(t, "a")
		if !st.NextDue.IsZero() || st.Counts.Overruns != 0 {
			t.Errorf("next attempt %v, %d overruns", st.NextDue, st.Counts.Overruns)
		}
		if _, err := w.set.Force(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		b.wantAsked(t, 4)
		w.apply(t)
		if b.changed != nil {
			t.Error("a check that was removed is still told")
		}
	})
}

// A change during an attempt makes another one follow at once.
func TestToldMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bell{took: 100 * time.Millisecond}
		w := newBell(t, b)
		c := second("a", 1)
		c.Probe = probe.File{File: "/f"}
		c.Interval = time.Minute
		w.apply(t, c)
		synctest.Wait()
		b.ring(nil)
		time.Sleep(50 * time.Millisecond)
		b.wantAsked(t, 1)
		time.Sleep(100 * time.Millisecond)
		b.wantAsked(t, 2)
		time.Sleep(500 * time.Millisecond)
		b.wantAsked(t, 2)
		time.Sleep(time.Second) // the second regular attempt
		b.wantAsked(t, 3)
	})
}

// What cannot be found out changes no verdict.
func TestInconclusive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.apply(t, second("a", 1))
		time.Sleep(500 * time.Millisecond)
		w.wantChanges(t, "0s a up first: answered")
		w.answers(always(probe.Inconclusive(errors.New("script /x does not exist"))))
		time.Sleep(10 * time.Second)
		w.wantChanges(t)
		if st := w.status(t, "a"); !st.Up || !st.Last.Inconclusive || st.Last.Reason != "script /x does not exist" {
			t.Errorf("status %+v", st)
		}
	})
}
