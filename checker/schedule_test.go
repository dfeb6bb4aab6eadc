package checker

import (
	"context"
	"errors"
	"fmt"
	"holdfast/checker/probe"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBeatsDoNotDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Rand: numbers(0.25, 0)})
		w.set.epoch = w.set.epoch.Add(-3 * time.Millisecond) // slots fall on its grid
		w.answers(func(a attempt) (time.Duration, error) {
			return time.Duration(a.n) * 77 * time.Millisecond, nil
		})
		w.apply(t, second("a", 1))
		time.Sleep(4500 * time.Millisecond)
		w.wantAttempts(t, "1 272ms", "1 1.272s", "1 2.272s", "1 3.272s", "1 4.272s")
	})
}

// TestFirstAttemptsAreSpread: all servers are asked within a second, and then
// their slots lie anywhere in the interval.
func TestFirstAttemptsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Rand: numbers(0, 0, 0.5, 0.5, 0.999, 0.999)})
		configs := []Config{second("a", 1), second("b", 2), second("c", 3)}
		for i := range configs {
			configs[i].Interval = 11 * time.Second
		}
		w.apply(t, configs...)
		time.Sleep(23 * time.Second)
		w.wantAttempts(t, "1 0s", "2 500ms", "3 1s",
			"1 1s", "2 6.5s", "3 11.975s",
			"1 12s", "2 17.5s", "3 22.975s", "1 23s")
	})
}

func TestShortIntervalBoundsTheSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Rand: numbers(0.5, 0.9)})
		c := second("a", 1)
		c.Interval = 200 * time.Millisecond
		w.apply(t, c)
		time.Sleep(500 * time.Millisecond)
		w.wantAttempts(t, "1 100ms", "1 300ms", "1 500ms")
	})
}

// TestOverrun: an attempt that outlasts its interval never meets the next one.
// One overrun slot follows at once, others are left out.
func TestOverrun(t *testing.T) {
	tests := []struct {
		first time.Duration // how long the first attempt takes
		want  []string
	}{
		{1300 * time.Millisecond, []string{"1 0s", "1 1.3s", "1 2s", "1 3s", "1 4s"}},
		{2 * time.Second, []string{"1 0s", "1 2s", "1 3s", "1 4s"}},
		{2300 * time.Millisecond, []string{"1 0s", "1 2.3s", "1 3s", "1 4s"}},
	}
	for _, tt := range tests {
		t.Run(tt.first.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Options{})
				w.answers(func(a attempt) (time.Duration, error) {
					if a.n == 0 {
						return tt.first, nil
					}
					return 100 * time.Millisecond, nil
				})
				c := second("a", 1)
				c.Timeout = 5 * time.Second
				w.apply(t, c)
				time.Sleep(4500 * time.Millisecond)
				w.wantAttempts(t, tt.want...)
				st := w.status(t, "a")
				if st.Counts.Overruns != 1 {
					t.Errorf("%d overruns, want 1", st.Counts.Overruns)
				}
				if st.MaxLate != 0 {
					t.Errorf("late by %v: the server's slowness is not the schedule's", st.MaxLate)
				}
			})
		})
	}
}

// TestHungServerIsAskedEachBeat: with a timeout as long as the interval, an
// attempt ends exactly when the next one is due.
func TestHungServerIsAskedEachBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answers(func(attempt) (time.Duration, error) { return time.Hour, nil })
		c := second("a", 1)
		c.Timeout = time.Second
		w.apply(t, c)
		time.Sleep(3500 * time.Millisecond)
		w.wantAttempts(t, "1 0s", "1 1s", "1 2s", "1 3s")
	})
}

func TestRetryInterval(t *testing.T) {
	tests := []struct {
		name    string
		results string
		want    []string
		changes []string
	}{
		{
			"a failing server is asked faster until it is down", "+----++",
			[]string{"1 0s", "1 1s", "1 1.1s", "1 1.2s", "1 2.2s", "1 3.2s", "1 3.3s"},
			[]string{"0s a up first: answered", "1.2s a down: connect: connection refused", "3.3s a up: answered 2 times in a row"},
		},
		{
			"one bad check among good ones", "+-+++",
			[]string{"1 0s", "1 1s", "1 1.1s", "1 2.1s", "1 3.1s"},
			[]string{"0s a up first: answered"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Options{})
				w.answers(func(a attempt) (time.Duration, error) {
					if a.n < len(tt.results) && tt.results[a.n] == '-' {
						return 0, errRefused
					}
					return 0, nil
				})
				c := second("a", 1)
				c.Fall, c.Rise, c.RetryInterval = 3, 2, 100*time.Millisecond
				c.InitiallyUp = true
				w.apply(t, c)
				time.Sleep(3900 * time.Millisecond)
				attempts, changes := w.took()
				if diff := cmp.Diff(tt.want, attempts); diff != "" {
					t.Errorf("attempts (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.changes, changes); diff != "" {
					t.Errorf("changes (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A server that is down is asked at another pace until it is up.
func TestDownInterval(t *testing.T) {
	for pace, want := range map[time.Duration][]string{
		200 * time.Millisecond:  {"1 0s", "1 1s", "1 1.2s", "1 1.4s", "1 1.6s", "1 2.6s", "1 3.6s"},
		2500 * time.Millisecond: {"1 0s", "1 1s", "1 3.5s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Options{})
			w.answers(func(a attempt) (time.Duration, error) {
				if results := "+---++++"; results[a.n] == '-' {
					return 0, errRefused
				}
				return 0, nil
			})
			c := second("a", 1)
			c.Fall, c.Rise, c.DownInterval, c.InitiallyUp = 1, 1, pace, true
			w.apply(t, c)
			time.Sleep(3900 * time.Millisecond)
			w.wantAttempts(t, want...)
		})
	}
}

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Limit: 2})
		w.answers(func(attempt) (time.Duration, error) { return 100 * time.Millisecond, nil })
		var configs []Config
		for i := range byte(6) {
			configs = append(configs, second(fmt.Sprint(i), i))
		}
		w.apply(t, configs...)
		time.Sleep(900 * time.Millisecond)
		attempts, _ := w.took()
		var at []string
		for _, a := range attempts {
			at = append(at, a[2:])
		}
		if diff := cmp.Diff([]string{"0s", "0s", "100ms", "100ms", "200ms", "200ms"}, at); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
		if w.most != 2 {
			t.Errorf("%d attempts at once, want 2", w.most)
		}
		var late time.Duration
		for _, st := range w.set.Status() {
			late = max(late, st.MaxLate)
		}
		if late > 200*time.Millisecond || late < 199800*time.Microsecond { // it is kept to a thousandth
			t.Errorf("at most %v late, want 200ms", late)
		}
	})
}

// TestRemovalMakesRoom: an attempt that nobody needs any more gives its place
// to one that waits.
func TestRemovalMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Limit: 1, Rand: numbers(0, 0, 0.1, 0)})
		w.answers(func(attempt) (time.Duration, error) { return time.Hour, nil })
		w.apply(t, second("a", 1), second("b", 2))
		time.Sleep(200 * time.Millisecond)
		w.wantAttempts(t, "1 0s")
		w.apply(t, second("b", 2))
		w.wantAttempts(t, "2 200ms")
	})
}

func TestPanicIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answers(func(attempt) (time.Duration, error) { panic("broken") })
		w.apply(t, second("a", 1))
		w.wantChanges(t, "0s a down first: the probe panicked: broken")
		w.answers(always(nil))
		time.Sleep(time.Second)
		w.wantChanges(t, "1s a up: answered")
	})
}

// TestWantHereIsNoVerdict: when this process runs out of file descriptors, all
// servers would fail at once.
func TestWantHereIsNoVerdict(t *testing.T) {
	tests := []struct {
		errno  syscall.Errno
		source string
		want   []string
	}{
		{syscall.EMFILE, "", nil},
		{syscall.ENFILE, "", nil},
		{syscall.ENOBUFS, "", nil},
		{syscall.ENOMEM, "", nil},
		{syscall.EPERM, "", nil},
		{syscall.EADDRNOTAVAIL, "", nil},
		{syscall.EADDRNOTAVAIL, "192.0.2.100", []string{"2s a down: connect: cannot assign requested address"}},
		{syscall.EHOSTUNREACH, "", []string{"2s a down: connect: no route to host"}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%v %s", tt.errno, tt.source), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Options{})
				c := second("a", 1)
				if tt.source != "" {
					c.Dial.Source = netip.MustParseAddr(tt.source)
				}
				w.apply(t, c)
				time.Sleep(500 * time.Millisecond)
				w.took()
				w.answers(always(fmt.Errorf("connect: %w", tt.errno)))
				time.Sleep(4 * time.Second)
				w.wantChanges(t, tt.want...)
				if got := w.status(t, "a").Counts; (got.Inconclusive == 4) != (tt.want == nil) {
					t.Errorf("counts %+v", got)
				}
			})
		})
	}
}

// TestInconclusiveIsRetried at the retry interval: nothing is known meanwhile.
func TestInconclusiveIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answers(always(syscall.EMFILE))
		c := second("a", 1)
		c.RetryInterval = 400 * time.Millisecond
		w.apply(t, c)
		time.Sleep(time.Second)
		w.wantAttempts(t, "1 0s", "1 400ms", "1 800ms")
	})
}

// TestStallIsExcusedOnce: a probe that returns long after its deadline means
// that this process stood still, unless it is always so.
func TestStallIsExcusedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		c := second("a", 1)
		c.Fall, c.InitiallyUp = 1, true
		w.set.Close()
		w.set = New(Options{OnChange: w.note, NewProber: func(Config) probe.Prober {
			return probe.ProberFunc(func(ctx context.Context) error {
				time.Sleep(2 * time.Second)
				return ctx.Err()
			})
		}, Rand: func() float64 { return 0 }})
		t.Cleanup(w.set.Close)
		w.apply(t, c)
		time.Sleep(3 * time.Second)
		w.wantChanges(t)
		last := w.status(t, "a").Last
		if want := "this process stood still for about 1.5s: context deadline exceeded"; last == nil || last.Reason != want || !last.Inconclusive {
			t.Errorf("last result %+v, want inconclusive with reason %q", last, want)
		}
		time.Sleep(2 * time.Second)
		w.wantChanges(t, "4s a down first: context deadline exceeded")
	})
}

func TestForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answers(func(attempt) (time.Duration, error) { return 200 * time.Millisecond, nil })
		c, other := second("a", 1), second("b", 2)
		c.Interval, other.Interval = time.Minute, time.Hour
		w.apply(t, c, other, Config{ID: "none", Probe: probe.None{}})
		time.Sleep(100 * time.Millisecond)

		// The running attempt is not what the caller asked for.
		r, err := w.set.Force(t.Context(), "a")
		if err != nil || !r.OK || r.At.Sub(w.start) != 400*time.Millisecond {
			t.Errorf("Force: %+v, %v; want ok at 400ms", r, err)
		}
		time.Sleep(100 * time.Millisecond)
		w.answers(always(errRefused))
		r, err = w.set.Force(t.Context(), "a")
		if err != nil || r.OK || r.Reason != errRefused.Error() || r.At.Sub(w.start) != 500*time.Millisecond {
			t.Errorf("Force: %+v, %v; want refused at 500ms", r, err)
		}
		time.Sleep(time.Second)
		w.wantAttempts(t, "1 0s", "2 0s", "1 200ms", "1 500ms", "1 1s", "2 1s") // the second slots are at 1s
		if _, err := w.set.Force(t.Context(), "b"); err != nil {
			t.Error(err)
		}
		w.wantAttempts(t, "2 1.5s")

		if _, err := w.set.Force(t.Context(), "c"); !errors.Is(err, ErrUnknown) {
			t.Errorf("Force of an unknown check: %v", err)
		}
		if _, err := w.set.Force(t.Context(), "none"); !errors.Is(err, ErrNone) {
			t.Errorf("Force of a check of kind none: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		w.answers(func(attempt) (time.Duration, error) { return time.Hour, nil })
		if _, err := w.set.Force(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Force with a deadline: %v", err)
		}
	})
}

// TestForceBeforeTheFirstBeat leaves the schedule as it was: a first attempt
// soon, a second one drawn from the interval.
func TestForceBeforeTheFirstBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Rand: numbers(0.5, 0.5)})
		c := second("a", 1)
		c.Interval = 5 * time.Second
		w.apply(t, c)
		if _, err := w.set.Force(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		time.Sleep(9 * time.Second)
		w.wantAttempts(t, "1 0s", "1 500ms", "1 3.5s", "1 8.5s")
	})
}

// TestForcedFailureIsRetried: what a forced attempt found is pending like any
// other result.
func TestForcedFailureIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		c := second("a", 1)
		c.Interval, c.RetryInterval = time.Minute, time.Second
		w.apply(t, c)
		time.Sleep(10 * time.Second)
		w.took()
		w.answers(always(errRefused))
		if _, err := w.set.Force(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		time.Sleep(5 * time.Second)
		attempts, changes := w.took()
		if diff := cmp.Diff([]string{"1 10s", "1 11s"}, attempts); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"11s a down: connect: connection refused"}, changes); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

func TestForceOfARemovedCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answers(func(attempt) (time.Duration, error) { return time.Hour, nil })
		w.apply(t, second("a", 1))
		go func() {
			synctest.Wait()
			w.apply(t)
		}()
		if _, err := w.set.Force(t.Context(), "a"); !errors.Is(err, ErrGone) {
			t.Errorf("Force: %v, want ErrGone", err)
		}
	})
}
