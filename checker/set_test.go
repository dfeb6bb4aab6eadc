package checker

import (
	"context"
	"errors"
	"fmt"
	"holdfast/checker/probe"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestIdenticalQuestionsAreAskedOnce also shows that each subject makes its own
// verdict of the answers.
func TestIdenticalQuestionsAreAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		hasty, patient := second("hasty", 1), second("patient", 1)
		hasty.Fall, patient.Fall = 1, 3
		w.apply(t, hasty, patient, second("other", 2))
		time.Sleep(500 * time.Millisecond)
		w.took()
		w.answers(always(errRefused))
		time.Sleep(3 * time.Second)
		attempts, changes := w.took()
		if diff := cmp.Diff([]string{"1 1s", "2 1s", "1 2s", "2 2s", "1 3s", "2 3s"}, attempts, byValue); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{
			"1s hasty down: connect: connection refused",
			"2s other down: connect: connection refused",
			"3s patient down: connect: connection refused",
		}, changes); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		if st := w.status(t, "hasty"); st.Shared != 2 {
			t.Errorf("shared by %d, want 2", st.Shared)
		}
	})
}

func TestInitiallyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The first attempts come when the status before them has been looked at.
		w := newWorld(t, Options{Rand: numbers(0.5, 0, 0.5, 0, 0.5, 0)})
		w.answers(func(a attempt) (time.Duration, error) {
			if a.To == "1" {
				return 0, nil
			}
			return 0, errRefused
		})
		well, dead, fresh := second("well", 1), second("dead", 2), second("new", 3)
		well.InitiallyUp, dead.InitiallyUp = true, true
		well.Rise = 5
		w.apply(t, well, dead, fresh)
		if st := w.status(t, "dead"); !st.Up || st.State != Unknown {
			t.Errorf("before its first check: up %v, state %s", st.Up, st.State)
		}
		if st := w.status(t, "new"); st.Up || st.State != Unknown {
			t.Errorf("before its first check: up %v, state %s", st.Up, st.State)
		}
		time.Sleep(1900 * time.Millisecond)
		_, changes := w.took()
		if diff := cmp.Diff([]string{
			"500ms well up first: answered",
			"500ms new down first: connect: connection refused",
			"1.5s dead down first: connect: connection refused",
		}, changes, byValue); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

func TestNoneIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answers(always(errRefused))
		none := Config{ID: "none", Probe: probe.None{}}
		w.apply(t, none, second("a", 1))
		w.wantChanges(t, "0s none up first: not checked", "0s a down first: connect: connection refused")
		// A check that is taken away brings its server up.
		w.apply(t, none, Config{ID: "a", Probe: probe.None{}})
		time.Sleep(3 * time.Second)
		w.wantChanges(t, "0s a up: not checked")
		moved := Config{ID: "a", Probe: probe.None{}, Address: second("a", 2).Address}
		w.apply(t, none, moved)
		w.wantChanges(t)
		w.apply(t, none, second("a", 1))
		time.Sleep(3 * time.Second)
		w.wantChanges(t, "4s a down: connect: connection refused")
	})
}

func TestApplyKeepsWhatDidNotChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Rand: numbers(0.3, 0, 0.5, 0, 0.2, 0)})
		w.apply(t, second("stays", 1), second("goes", 2))
		time.Sleep(1600 * time.Millisecond)
		w.took()
		before := w.status(t, "stays")

		w.apply(t, second("stays", 1), second("comes", 3))
		if diff := cmp.Diff(before, w.status(t, "stays"), addresses); diff != "" {
			t.Errorf("status (-before +after):\n%s", diff)
		}
		time.Sleep(time.Second)
		attempts, changes := w.took()
		if diff := cmp.Diff([]string{"3 1.8s", "1 2.3s"}, attempts); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"1.8s comes up first: answered"}, changes); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

// TestApplyKeepsTheVerdictOfAChangedCheck: a reload with another path must not
// take a server out that is well.
func TestApplyKeepsTheVerdictOfAChangedCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.apply(t, second("a", 1))
		time.Sleep(500 * time.Millisecond)
		w.took()

		w.answers(always(errRefused))
		changed := second("a", 1)
		changed.Timeout, changed.Fall = 400*time.Millisecond, 2
		w.apply(t, changed)
		if st := w.status(t, "a"); st.State != Up {
			t.Errorf("state %s, want up", st.State)
		}
		time.Sleep(time.Second)
		w.wantChanges(t, "1.5s a down: connect: connection refused")
	})
}

// TestChangedThresholdsNeedNoNewQuestion: rise and fall take effect on the
// question that is being asked.
func TestChangedThresholdsNeedNoNewQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.apply(t, second("a", 1))
		time.Sleep(500 * time.Millisecond)
		w.answers(always(errRefused))
		changed := second("a", 1)
		changed.Fall = 1
		w.apply(t, changed)
		time.Sleep(time.Second)
		attempts, changes := w.took()
		if diff := cmp.Diff([]string{"1 0s", "1 1s"}, attempts); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"0s a up first: answered", "1s a down: connect: connection refused"}, changes); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

// TestNewSubjectAdoptsWhatIsKnown: a new service in front of a server that is
// checked already, and a service with a new name, need not wait for a slot.
func TestNewSubjectAdoptsWhatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.apply(t, second("a", 1))
		time.Sleep(1500 * time.Millisecond)
		w.took()
		strict := second("strict", 1)
		strict.Rise = 3
		w.apply(t, second("renamed", 1), strict)
		w.wantChanges(t, "1s renamed up first: answered 2 times in a row")
		time.Sleep(time.Second)
		w.wantChanges(t, "2s strict up first: answered 3 times in a row")
	})
}

func TestApplyRefusesAsAWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.apply(t, second("a", 1))
		bad := second("b", 2)
		bad.Rise = 0
		err := w.set.Apply([]Config{bad, second("c", 3), second("c", 4)})
		want := "check \"b\": rise: must be at least 1, not 0\ncheck \"c\": id: is given twice"
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if all := w.set.Status(); len(all) != 1 || all[0].ID != "a" {
			t.Errorf("checks after the refusal: %v", all)
		}
	})
}

func TestRemovalStopsTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answers(func(attempt) (time.Duration, error) { return time.Hour, nil })
		w.apply(t, second("a", 1))
		time.Sleep(100 * time.Millisecond)
		w.apply(t)
		synctest.Wait()
		if w.stopped != 1 {
			t.Errorf("%d attempts stopped at once, want 1", w.stopped)
		}
		time.Sleep(5 * time.Second)
		w.wantAttempts(t, "1 0s")
		w.wantChanges(t)
	})
}

// TestCloseEndsEverything: the bubble itself fails if a goroutine is left.
func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answers(func(attempt) (time.Duration, error) { return time.Hour, nil })
		w.apply(t, second("a", 1), second("b", 2))
		synctest.Wait()
		forced := make(chan error)
		go func() {
			_, err := w.set.Force(t.Context(), "a")
			forced <- err
		}()
		synctest.Wait()
		w.set.Close()
		if since := time.Since(w.start); since != 0 {
			t.Errorf("Close took %v", since)
		}
		if err := <-forced; !errors.Is(err, ErrClosed) {
			t.Errorf("Force: %v, want ErrClosed", err)
		}
		if err := w.set.Apply(nil); !errors.Is(err, ErrClosed) {
			t.Errorf("Apply after Close: %v", err)
		}
		time.Sleep(time.Minute)
		w.wantAttempts(t, "1 0s", "2 0s")
		w.wantChanges(t)
	})
}

// TestSlowReceiver: a receiver that hangs holds up neither the schedule nor
// itself later on: of each subject only the newest Change waits for it.
func TestSlowReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w *world
		release := make(chan struct{})
		w = newWorld(t, Options{OnChange: func(c Change) {
			w.note(c)
			if c.ID == "blocker" {
				<-release
			}
		}})
		w.answers(func(a attempt) (time.Duration, error) {
			if a.n%2 == 0 {
				return 0, nil
			}
			return 0, errRefused
		})
		flapping := second("flapping", 1)
		flapping.Fall = 1
		w.apply(t, Config{ID: "blocker", Probe: probe.None{}})
		synctest.Wait()
		w.apply(t, Config{ID: "blocker", Probe: probe.None{}}, flapping, Config{ID: "gone", Probe: probe.None{}})
		time.Sleep(3500 * time.Millisecond)
		w.apply(t, Config{ID: "blocker", Probe: probe.None{}}, flapping)
		w.wantAttempts(t, "1 0s", "1 1s", "1 2s", "1 3s")
		close(release)
		w.wantChanges(t, "3s flapping down first: connect: connection refused")
	})
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		at := func(d time.Duration) time.Time { return w.start.Add(d) }
		w.answers(func(a attempt) (time.Duration, error) {
			if a.n == 1 || a.n > 3 {
				return 20 * time.Millisecond, fmt.Errorf("HTTP %d", 500+a.n)
			}
			return 10 * time.Millisecond, nil
		})
		c := second("a", 1)
		w.apply(t, c, Config{ID: "none", Probe: probe.None{}})
		time.Sleep(9500 * time.Millisecond)
		synctest.Wait()
		bad := func(n int) Result {
			return Result{At: at(time.Duration(n)*time.Second + 20*time.Millisecond), Took: 20 * time.Millisecond, Reason: fmt.Sprintf("HTTP %d", 500+n)}
		}
		last := bad(9)
		const late = 10 * time.Millisecond
		want := []Status{
			{
				ID: "a", Server: "a", Kind: "tcp", Address: c.Address, State: Down, Since: at(5020 * time.Millisecond), Streak: 6,
				Recent: "+-++------", Latency: &Latency{late, late, late, late, 3},
				Last: &last, Failures: []Result{bad(9), bad(8), bad(7), bad(6), bad(5)},
				Counts:  Counts{Attempts: 10, Successes: 3, Failures: 7},
				NextDue: at(10 * time.Second), Shared: 1,
			},
			{ID: "none", Server: "none", Kind: "none", State: Up, Up: true, Since: at(0)},
		}
		if diff := cmp.Diff(want, w.set.Status(), addresses); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
	})
}

// A closer is a probe.Prober that counts how often it is closed.
type closer struct {
	probe.Prober
	closed *int
}

func (c closer) Close() error {
	*c.closed++
	return nil
}

// TestProbersAreClosed once, with the last subject of their question or with
// the Set.
func TestProbersAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := map[string]*int{"1": new(int), "2": new(int)}
		s := New(Options{NewProber: func(c Config) probe.Prober {
			return closer{probe.ProberFunc(func(context.Context) error { return nil }), closed[lastByte(c.Address)]}
		}})
		apply := func(configs ...Config) {
			t.Helper()
			if err := s.Apply(configs); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		want := func(one, two int) {
			t.Helper()
			if *closed["1"] != one || *closed["2"] != two {
				t.Errorf("closed %d and %d times, want %d and %d", *closed["1"], *closed["2"], one, two)
			}
		}
		apply(second("a", 1), second("b", 1), second("c", 2))
		apply(second("b", 1), second("c", 2))
		want(0, 0)
		apply(second("c", 2))
		want(1, 0)
		s.Close()
		s.Close()
		want(1, 1)
	})
}
