package track

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A rig is a Set in virtual time whose trackers are scripted.
type rig struct {
	*Set
	start time.Time

	mu      sync.Mutex
	changes []string
}

func newRig() *rig {
	r := &rig{start: time.Now()}
	r.Set = NewSet(slog.New(slog.DiscardHandler), func(c Change) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.changes = append(r.changes, c.At.Sub(r.start).String()+" "+c.Name+" "+c.From.String()+" "+c.Standing.State.String())
	})
	return r
}

// pass lets time pass and everything happen that is due then.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if diff := cmp.Diff(want, r.changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	r.changes = nil
}

// A subject is looked at by a tracker.
type subject struct {
	start time.Time

	mu    sync.Mutex
	up    bool
	takes time.Duration
	looks []time.Duration // since start
}

func (s *subject) become(up bool, takes time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up, s.takes = up, takes
}

func (s *subject) seen() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.looks)
}

func (s *subject) look(ctx context.Context) Reading {
	s.mu.Lock()
	s.looks = append(s.looks, time.Since(s.start))
	up, takes := s.up, s.takes
	s.mu.Unlock()
	if takes > 0 {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return Reading{Reason: "late"}
		}
	}
	return Reading{Up: up}
}

func (s *subject) config(name string) Config {
	return Config{Name: name, Spec: name, Look: s.look, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 2}
}

func TestSetVerdicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		defer r.Close()
		s := &subject{up: true, start: r.start}
		r.Apply([]Config{s.config("a")})
		r.want(t, "0s a unknown up")
		s.become(false, 0)
		pass(1500 * time.Millisecond)
		r.want(t)
		pass(time.Second)
		r.want(t, "2s a up down")
		if st := r.Status()["a"]; st.State != Down || st.Since.Sub(r.start) != 2*time.Second || st.Looks != 3 || st.Bad != 2 {
			t.Errorf("%+v", st)
		}
		s.become(true, 0)
		pass(time.Second)
		r.want(t, "3s a down up")
	})
}

// The next look does not start before a slow one has ended. A look that takes
// longer than its timeout is stopped and bad.
func TestSetSlowLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		defer r.Close()
		s := &subject{up: true, takes: 2500 * time.Millisecond, start: r.start}
		c := s.config("a")
		c.Timeout = 4 * time.Second // more than the configuration allows
		r.Apply([]Config{c})
		pass(6 * time.Second)
		if diff := cmp.Diff([]time.Duration{0, 3 * time.Second, 6 * time.Second}, s.seen()); diff != "" {
			t.Errorf("looks (-want +got):\n%s", diff)
		}
		r.want(t, "2.5s a unknown up")
		s.become(true, time.Hour)
		pass(20 * time.Second)
		r.want(t, "17s a up down") // the looks at 9 s and 13 s
	})
}

func TestSetNudge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		defer r.Close()
		s := &subject{up: true, start: r.start}
		r.Apply([]Config{s.config("a")})
		pass(300 * time.Millisecond)
		s.become(false, 0)
		r.Nudge("a")
		r.Nudge("nobody")
		pass(0)
		r.Nudge("a") // pending: the second bad reading is an interval later
		synctest.Wait()
		if got := len(s.seen()); got != 2 {
			t.Errorf("%d looks, want 2", got)
		}
		pass(2 * time.Second)
		r.want(t, "0s a unknown up", "1.3s a up down")
	})
}

// A nudge during a look causes another look.
func TestSetNudgeWhileLooking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		defer r.Close()
		s := &subject{up: true, takes: 100 * time.Millisecond, start: r.start}
		r.Apply([]Config{s.config("a")})
		pass(50 * time.Millisecond)
		r.Nudge("a")
		pass(100 * time.Millisecond)
		if diff := cmp.Diff([]time.Duration{0, 100 * time.Millisecond}, s.seen()); diff != "" {
			t.Errorf("looks (-want +got):\n%s", diff)
		}
	})
}

func TestSetApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		defer r.Close()
		a, b, c := &subject{up: true, start: r.start}, &subject{up: true, start: r.start}, &subject{takes: time.Hour, start: r.start}
		r.Apply([]Config{a.config("a"), b.config("b"), c.config("c")})
		pass(500 * time.Millisecond)
		r.mu.Lock()
		r.changes = nil // in any order
		r.mu.Unlock()
		other := b.config("b")
		other.Spec = "changed"
		r.Apply([]Config{a.config("a"), other}) // c goes in the middle of a look
		r.want(t)
		if st := r.Status(); len(st) != 2 || st["a"].Looks != 1 || st["b"].Looks != 2 {
			t.Errorf("%+v", st)
		}
		b.become(false, 0)
		other.Spec = "changed again"
		r.Apply([]Config{a.config("a"), other})
		pass(time.Second)
		r.want(t, "1.5s b up down")
	})
}

// The process that replaces another takes over the states, and the readings that
// did not yet suffice for a change.
func TestSetRemember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		s := &subject{up: true, takes: 20 * time.Millisecond, start: r.start}
		slow, number := s.config("a"), Config{Name: "num", Rise: 1, Fall: 1, Numeric: true}
		slow.Fall = 3
		r.Apply([]Config{slow, number})
		r.Report("num", Reading{Number: 7, Reason: "busy"})
		pass(100 * time.Millisecond)
		s.become(false, 20*time.Millisecond)
		pass(2 * time.Second) // two of three
		r.want(t, "0s num unknown down", "20ms a unknown up")
		left := r.Remember()
		r.Close()
		b, err := json.Marshal(left)
		if err != nil {
			t.Fatal(err)
		}
		var read map[string]Memory
		if err := json.Unmarshal(b, &read); err != nil {
			t.Fatal(err)
		}

		after := newRig()
		defer after.Close()
		known := func(c Config) Config {
			m := read[c.Name]
			c.Known = &m
			return c
		}
		after.Apply([]Config{known(slow), known(number)})
		want := map[string]Status{
			"a": {
				Standing: Standing{State: Up}, Since: r.start.Add(20 * time.Millisecond), LastLook: r.start.Add(2020 * time.Millisecond),
				Took: 20 * time.Millisecond, Looks: 3, Bad: 2,
			},
			"num": {
				Standing: Standing{State: Down, Number: 7, Numeric: true}, Since: r.start, LastLook: r.start,
				Reason: "busy", Cause: "busy", Looks: 1, Bad: 1,
			},
		}
		if diff := cmp.Diff(want, after.Status()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		pass(100 * time.Millisecond)
		after.want(t, "20ms a up down") // the third bad reading
		number.Numeric = false          // a tracker of another kind
		after.Apply([]Config{known(slow)})
		after.Apply([]Config{known(slow), known(number)})
		if st := after.Status()["num"]; st != (Status{}) {
			t.Errorf("%+v", st)
		}
	})
}

// A look that timed out counts less than one that failed, and reverse does not
// turn a void reading into a good one.
func TestSetTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		defer r.Close()
		r.Apply([]Config{{Name: "a", Rise: 1, Fall: 2, TimeoutFall: 4, Reverse: true}})
		late := Reading{Void: true, TimedOut: true}
		report := func(readings ...Reading) {
			for _, reading := range readings {
				r.Report("a", reading)
			}
		}
		report(Reading{}, late, late, late, Reading{Up: true})
		r.want(t, "0s a unknown up", "0s a up down")
		report(Reading{}, late, late, late)
		r.want(t, "0s a down up")
		report(late)
		r.want(t, "0s a up down")
		if st := r.Status()["a"]; st.TimedOut != 7 || st.Bad != 8 || st.Looks != 10 {
			t.Errorf("%+v", st)
		}
	})
}

// A look for which this host had no descriptor says nothing of the subject.
func TestStarvedLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		defer r.Close()
		r.Apply([]Config{{Name: "a", Rise: 1, Fall: 1}})
		starved := Reading{Void: true, Starved: isStarved(&os.PathError{Op: "open", Path: "/dev/null", Err: syscall.EMFILE})}
		r.Report("a", starved)
		r.want(t) // it is unknown still
		r.Report("a", Reading{Up: true})
		r.want(t, "0s a unknown up")
		r.Report("a", starved)
		r.want(t)
		r.Report("a", Reading{Void: true, Starved: isStarved(os.ErrNotExist)})
		r.want(t, "0s a up down")
	})
}

func TestSetReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		defer r.Close()
		r.Apply([]Config{{Name: "svc", Rise: 1, Fall: 1}, {Name: "rev", Rise: 1, Fall: 1, Reverse: true}, {Name: "num", Rise: 1, Fall: 1, Numeric: true, Reverse: true}})
		r.Report("svc", Reading{Up: true})
		r.Report("svc", Reading{Up: true})
		r.Report("nobody", Reading{})
		r.want(t, "0s svc unknown up")
		r.Report("rev", Reading{Up: true})
		r.want(t, "0s rev unknown down")
		r.Report("num", Reading{Number: 5})
		r.Report("num", Reading{Number: 6}) // another number is a change
		r.want(t, "0s num unknown up", "0s num up up")
		r.Report("num", Reading{Void: true}) // without a number
		r.want(t, "0s num up down")
		if got := r.Status()["num"].Number; got != -6 {
			t.Errorf("a look that failed changed the number to %d", got)
		}
		r.Report("num", Reading{Number: 6})
		r.want(t, "0s num down up")
		if got := r.Status()["num"].Standing; got != (Standing{State: Up, Number: -6, Numeric: true}) {
			t.Errorf("%+v", got)
		}
	})
}

func TestSetClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		s := &subject{takes: time.Hour, start: r.start}
		r.Apply([]Config{s.config("a")})
		synctest.Wait()
		r.Close() // ends the look; synctest fails if a goroutine stays
		r.want(t)
	})
}

// A look that does not return counts as timed out at every interval. No second
// look starts beside it, and other trackers go on.
func TestSetLookThatNeverEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		defer r.Close()
		s := &subject{up: true, start: r.start}
		stuck := make(chan struct{})
		c := s.config("a")
		c.Look = func(ctx context.Context) Reading {
			if reading := s.look(ctx); len(s.seen()) != 2 {
				return reading
			}
			<-stuck
			return Reading{Up: true}
		}
		c.Timeout = 500 * time.Millisecond
		r.Apply([]Config{c})
		pass(1500*time.Millisecond + overdue)
		st := r.Status()["a"]
		if st.State != Up || st.TimedOut != 1 || st.Bad != 1 || st.Reason != "the check has not ended after 1.5s and cannot be stopped" {
			t.Errorf("%+v", st)
		}
		pass(time.Second)
		r.want(t, "0s a unknown up", "3.5s a up down")
		if n := len(s.seen()); n != 2 {
			t.Errorf("%d looks, want 2", n)
		}
		stuck <- struct{}{} // its result is too late to be used
		pass(time.Second)
		r.want(t, "4s a down up")
		if n := len(s.seen()); n != 3 {
			t.Errorf("%d looks, want 3", n)
		}
	})
}

func TestSetCloseDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		stuck := make(chan struct{})
		r.Apply([]Config{{Name: "a", Look: func(context.Context) Reading { <-stuck; return Reading{} }, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1}})
		pass(100 * time.Millisecond)
		r.Close()
		if took := time.Since(r.start); took != 100*time.Millisecond+overdue {
			t.Errorf("closed after %v", took)
		}
		close(stuck)
	})
}
