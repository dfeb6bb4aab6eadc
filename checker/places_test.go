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

// A check that is called to a place and does not need it any more, because it is not to be
// asked now or is removed, leaves it to the next.
func TestPlaceNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Rand: numbers(0, 0, 0, 0.9, 0.01, 0.9, 0.02, 0.9)})
		w.answers(func(a attempt) (time.Duration, error) {
			switch {
			case a.To == "1" && a.n == 1:
				return 0, errRefused
			case a.To == "2":
				return 1500 * time.Millisecond, nil
			}
			return 0, nil
		})
		w.set.SetLimit("ping", 1)
		host := second("host", 1)
		host.Fall = 1
		all := []Config{host}
		for i, name := range []string{"a", "b", "c"} {
			c := second(name, byte(i+2))
			c.Probe, c.Interval, c.Timeout = probe.Ping{}, 10*time.Second, 5*time.Second
			all = append(all, c)
		}
		all[2].Depends = [][]string{{"host"}} // b, which is called at 1.5 s, when the host is down
		w.apply(t, all...)
		time.Sleep(1900 * time.Millisecond)
		w.wantAttempts(t, "1 0s", "2 0s", "1 1s", "4 1.5s")
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
