package checker

import (
	"testing"
	"testing/synctest"
	"time"

	"holdfast/checker/probe"
)

// At most so many attempts of a kind run at once. Those that wait begin in the order
// in which they were due, and other kinds go on.
func TestSetLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The first attempts are 25 ms apart.
		w := newWorld(t, Options{Rand: numbers(0, 0.9, 0.025, 0.9, 0.05, 0.9, 0.075, 0.9, 0.1, 0.9, 0, 0.9)})
		w.answers(func(a attempt) (time.Duration, error) {
			if a.To == "9" {
				return 0, nil
			}
			return 300 * time.Millisecond, nil
		})
		w.set.SetLimit("ping", 2)
		var configs []Config
		for last := range byte(5) {
			c := second(string('a'+rune(last)), last+1)
			c.Probe, c.Interval = probe.Ping{}, 10*time.Second
			configs = append(configs, c)
		}
		other := second("other", 9)
		other.Interval = 10 * time.Second
		w.apply(t, append(configs, other)...)
		time.Sleep(100 * time.Millisecond)
		w.set.SetLimit("ping", 3)
		time.Sleep(900 * time.Millisecond)
		w.wantAttempts(t, "1 0s", "2 25ms", "9 0s", "3 100ms", "4 300ms", "5 325ms")
		if w.most != 3 { // 2 and the other kind, then 3
			t.Errorf("%d attempts at once, want 3", w.most)
		}
	})
}

// A check that is removed while it waits takes no place.
func TestSetLimitRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Rand: numbers(0, 0.9, 0.01, 0.9, 0.02, 0.9)})
		w.answers(func(attempt) (time.Duration, error) { return 300 * time.Millisecond, nil })
		w.set.SetLimit("tcp", 1)
		w.apply(t, second("a", 1), second("b", 2), second("c", 3))
		time.Sleep(100 * time.Millisecond)
		w.apply(t, second("a", 1), second("c", 3))
		time.Sleep(700 * time.Millisecond)
		w.wantAttempts(t, "1 0s", "3 300ms")
	})
}

// The first attempts come within the spread, and at most so many at once as the limit.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Rand: numbers(0.5, 0, 0.9, 0)})
		w.set.Pace(1, 200*time.Millisecond)
		w.answers(func(attempt) (time.Duration, error) { return 300 * time.Millisecond, nil })
		w.apply(t, second("a", 1), second("b", 2))
		time.Sleep(900 * time.Millisecond)
		w.wantAttempts(t, "1 100ms", "2 400ms")
	})
}
