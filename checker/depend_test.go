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

// While a host is down, what depends on it is not asked, and waits. When it is back,
// that is asked at once, and counts as down until it answers.
func TestDepends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		host, web, shop := second("host/rs", 1), second("web/rs", 2), second("shop/rs", 3)
		host.Fall = 1
		web.Depends, shop.Depends = [][]string{{"host/rs"}}, [][]string{{"web/rs"}} // shop by web
		web.Rise, web.Interval, web.RetryInterval = 2, 10*time.Second, 100*time.Millisecond
		w.apply(t, web, shop, host)
		time.Sleep(500 * time.Millisecond)
		w.wantAttempts(t, "1 0s", "2 0s", "2 100ms", "3 0s")
		w.refuse("1")
		time.Sleep(time.Second)
		w.wantChanges(t,
			"1s host/rs down: connect: connection refused",
			"1s web/rs waits: not asked: depends on host/rs, which is down",
			"1s shop/rs waits: not asked: depends on web/rs, which is down")
		if st := w.status(t, "web/rs"); st.State != Waiting || st.Up || st.NotAsked != "depends on host/rs, which is down" {
			t.Errorf("status %+v", st)
		}
		w.took()
		time.Sleep(3 * time.Second)
		w.wantAttempts(t, "1 2s", "1 3s", "1 4s")
		w.refuse()
		time.Sleep(time.Second)
		attempts, changes := w.took()
		if diff := cmp.Diff([]string{"1 5s", "2 5s", "2 5.1s", "3 5.1s"}, attempts); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"5s host/rs up: answered", "5.1s web/rs up: answered 2 times in a row", "5.1s shop/rs up: answered"}, changes); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

// A server that does not come back with its host is down by its own check, which is
// another state than waiting.
func TestDependsAndStaysDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.refuse("1", "2")
		host, web := second("host/rs", 1), second("web/rs", 2)
		web.Depends = [][]string{{"host/rs"}}
		w.apply(t, host)
		time.Sleep(500 * time.Millisecond)
		w.apply(t, host, web) // never asked so far
		time.Sleep(5 * time.Second)
		w.wantChanges(t, "0s host/rs down first: connect: connection refused", "500ms web/rs waits first: not asked: depends on host/rs, which is down")
		w.refuse("2")
		time.Sleep(time.Second)
		w.wantChanges(t, "6s host/rs up: answered", "6s web/rs down: connect: connection refused")
		w.refuse("1")
		time.Sleep(1500 * time.Millisecond)
		w.took()
		w.apply(t, host, second("web/rs", 2)) // depends on nobody any more
		time.Sleep(time.Second)
		_, changes := w.took()
		if len(changes) != 1 || changes[0][len(changes[0])-len("web/rs up: answered"):] != "web/rs up: answered" {
			t.Errorf("changes %q", changes)
		}
	})
}

// Outside its period a check is made only until there is a verdict.
func TestPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{}) // it is midnight, 1 January 2000, UTC
		w.refuse("2")
		one, two := second("a", 1), second("b", 2)
		one.Period = "min {1}"
		two.Period, two.Fall, two.InitiallyUp = "min {1}", 2, true
		w.apply(t, one, two)
		time.Sleep(59500 * time.Millisecond)
		w.wantAttempts(t, "1 0s", "2 0s", "2 1s")
		if st := w.status(t, "a"); st.State != Up || st.NotAsked != "outside its period" {
			t.Errorf("status %+v", st)
		}
		time.Sleep(2 * time.Second)
		w.wantAttempts(t, "1 1m0s", "1 1m1s", "2 1m0s", "2 1m1s")
		w.refuse("1", "2")
		if r, err := w.set.Force(context.Background(), "a"); err != nil || r.OK {
			t.Errorf("forced: %+v, %v", r, err)
		}
	})
}

// Every fourth attempt asks the whole question, the others connect. After a failed
// one the next asks the whole question.
func TestNegotiateEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sequence string
		var fail bool
		var lock sync.Mutex
		s := New(Options{
			NewProber: func(c Config) probe.Prober {
				letter := "N"
				if c.Probe == probe.Settings(probe.TCP{}) {
					letter = "C"
				}
				return probe.ProberFunc(func(context.Context) error {
					lock.Lock()
					defer lock.Unlock()
					sequence += letter
					if fail {
						return errors.New("broken")
					}
					return nil
				})
			},
			Rand: func() float64 { return 0 },
		})
		defer s.Close()
		c := second("a", 1)
		c.Probe, c.NegotiateEvery = probe.Default("http"), 4
		if err := s.Apply([]Config{c}); err != nil {
			t.Fatal(err)
		}
		set := func(to bool) {
			lock.Lock()
			defer lock.Unlock()
			fail = to
		}
		want := func(when, want string, seconds int) {
			t.Helper()
			time.Sleep(time.Duration(seconds) * time.Second)
			synctest.Wait()
			lock.Lock()
			defer lock.Unlock()
			if sequence != want {
				t.Errorf("%s: %s, want %s", when, sequence, want)
			}
			sequence = ""
		}
		time.Sleep(500 * time.Millisecond)
		want("all is well", "NCCCNCC", 6)
		set(true)
		want("a connection fails", "CNN", 3)
		set(false)
		want("well again", "NCCCN", 5)
	})
}

// A check that depends on one of two is made while either is up.
func TestDependsOnOneOfTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		one, two, web := second("one/gw", 1), second("two/gw", 2), second("web/rs", 3)
		one.Fall, two.Fall = 1, 1
		web.Depends = [][]string{{"one/gw", "two/gw"}}
		w.apply(t, one, two, web)
		w.refuse("1")
		time.Sleep(1500 * time.Millisecond)
		if st := w.status(t, "web/rs"); !st.Up {
			t.Errorf("with one way left: %+v", st)
		}
		w.refuse("1", "2")
		time.Sleep(time.Second)
		if st := w.status(t, "web/rs"); st.State != Waiting || st.NotAsked != "depends on one/gw and two/gw, which are down" {
			t.Errorf("without a way: %+v", st)
		}
		w.refuse("1")
		time.Sleep(time.Second)
		if st := w.status(t, "web/rs"); !st.Up {
			t.Errorf("with a way again: %+v", st)
		}
	})
}
