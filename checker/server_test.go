package checker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/checker/probe"
)

// of returns the check NAME of a server, each second.
func of(server, name string, last byte) Config {
	c := second(server+"#"+name, last)
	c.Server = server
	return c
}

// A server is up while all its checks are well, and a change names the check that
// made it.
func TestAllChecksMustBeWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.refuse("2")
		patient := of("web/rs1", "patient", 1)
		patient.Fall = 3
		w.apply(t, patient, of("web/rs1", "quick", 2))
		time.Sleep(1500 * time.Millisecond)
		w.wantChanges(t, "0s web/rs1 down first: quick: connect: connection refused")
		w.refuse()
		time.Sleep(time.Second)
		w.wantChanges(t, "2s web/rs1 up: quick: answered")
		w.refuse("1")
		time.Sleep(2 * time.Second)
		w.wantChanges(t)
		time.Sleep(time.Second)
		w.wantChanges(t, "5s web/rs1 down: patient: connect: connection refused")
		w.refuse("1", "2") // nothing new: the server is down
		time.Sleep(5 * time.Second)
		w.wantChanges(t)
		w.refuse()
		time.Sleep(time.Second)
		_, changes := w.took()
		if len(changes) != 1 {
			t.Errorf("changes %q, want the one that makes both well", changes)
		}
	})
}

// A check that a reload adds to a server that is up does not take it down before it
// has failed as often as it must, and one that goes away no longer matters.
func TestChecksComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answers(func(a attempt) (time.Duration, error) {
			if a.To == "2" {
				return 0, errRefused
			}
			return 0, nil
		})
		one, two := of("web/rs1", "one", 1), of("web/rs1", "two", 2)
		two.InitiallyUp = true
		w.apply(t, one)
		time.Sleep(500 * time.Millisecond)
		w.wantChanges(t, "0s web/rs1 up first: answered")
		w.apply(t, one, two)
		time.Sleep(900 * time.Millisecond)
		w.wantChanges(t)
		time.Sleep(time.Second)
		w.wantChanges(t, "1.5s web/rs1 down: two: connect: connection refused")
		w.apply(t, one)
		w.wantChanges(t, "2.4s web/rs1 up: the configuration changed")
	})
}

// A scale is a probe.Weigher that says what it is told to.
type scale struct {
	lock   *sync.Mutex // of what the others refer to
	weight *string
	err    *error
}

func (s scale) Probe(context.Context) error { panic("the weight is not asked for") }

func (s scale) ProbeWeight(context.Context) (*probe.Weight, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if *s.weight == "" {
		return nil, *s.err
	}
	w, err := probe.ParseWeight(*s.weight)
	if err != nil {
		panic(err)
	}
	return &w, *s.err
}

// The weight of a server is what the latest good answers say, in the order of the
// modes and within bounds.
func TestWeights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said, failed := map[string]*string{}, map[string]*error{}
		for _, last := range []string{"1", "2", "3"} {
			said[last], failed[last] = new(string), new(error)
		}
		var got recorder
		var lock sync.Mutex
		say := func(of, weight string, err error) {
			lock.Lock()
			defer lock.Unlock()
			*said[of], *failed[of] = weight, err
		}
		s := New(Options{
			NewProber: func(c Config) probe.Prober {
				return scale{&lock, said[lastByte(c.Address)], failed[lastByte(c.Address)]}
			},
			OnChange: func(c Change) {
				weight := "configured"
				if c.Weight != nil {
					weight = fmt.Sprint(*c.Weight)
				}
				got.add(fmt.Sprintf("%s by %q", weight, c.WeightBy))
			},
			Rand: func() float64 { return 0 },
		})
		defer s.Close()
		configs := []Config{of("rs", "a", 1), of("rs", "b", 2), of("rs", "c", 3)}
		for i := range configs {
			configs[i].Weight, configs[i].WeightMax, configs[i].Rise = 10, 100, 1
		}
		configs[2].WeightMin, configs[2].WeightMax = 2, 50
		if err := s.Apply(configs); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond) // between two attempts
		got.want(t, "nobody says a weight", `configured by ""`)
		say("2", "50%", nil)
		got.want(t, "a part of the configured one", `5 by "rs#b"`)
		say("2", "", nil)
		got.want(t, "an answer that says nothing")
		say("2", "90%", errRefused)
		got.want(t, "a bad answer")
		say("2", "50%", nil)
		say("1", "40", nil)
		got.want(t, "a part of another", `20 by "rs#b"`)
		say("3", "-30", nil)
		got.want(t, "the lower bound", `2 by "rs#c"`)
		say("3", "+90", nil)
		got.want(t, "the upper bound", `50 by "rs#c"`)
		if err := s.Apply(configs[:1]); err != nil {
			t.Fatal(err)
		}
		got.want(t, "two checks are gone", `40 by "rs#a"`)
	})
}

// A check that cannot be sent counts as a failure, and the change says that it is this
// host that fails. The first attempt that is sent again says so too.
func TestUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answer error
		var got recorder
		var lock sync.Mutex
		set := func(err error) {
			lock.Lock()
			defer lock.Unlock()
			answer = err
		}
		s := New(Options{
			NewProber: func(Config) probe.Prober {
				return probe.ProberFunc(func(context.Context) error {
					lock.Lock()
					defer lock.Unlock()
					return answer
				})
			},
			OnChange: func(c Change) { got.add(fmt.Sprintf("up %v, unsent %v: %s", c.Up, c.Unsent, c.Reason)) },
			Rand:     func() float64 { return 0 },
		})
		defer s.Close()
		c := second("a", 1)
		c.Fall = 2
		if err := s.Apply([]Config{c}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(-time.Since(time.Now().Truncate(time.Second)) + 500*time.Millisecond)
		got.want(t, "up", "up true, unsent false: answered")
		set(fmt.Errorf("connect: network is unreachable: %w", probe.ErrUnsent))
		got.want(t, "not sent", "up true, unsent true: not sent: connect: network is unreachable: the check could not be sent")
		got.want(t, "not sent again", "up false, unsent true: not sent: connect: network is unreachable: the check could not be sent")
		set(errRefused)
		got.want(t, "sent", "up false, unsent false: connect: connection refused")
		st := s.Status()[0]
		if st.Counts.Unsent != 2 || st.Counts.Failures != 3 || st.Recent != "++!!-" {
			t.Errorf("status %+v", st)
		}
	})
}

// Each failed attempt is told, also of a server that is down already.
func TestOnFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		w := newWorld(t, Options{OnFailure: func(server string, r Result) { told = append(told, server+": "+r.Reason) }})
		w.answers(func(a attempt) (time.Duration, error) {
			if a.n == 0 || a.n == 4 {
				return 0, nil
			}
			return 0, fmt.Errorf("failure %d", a.n)
		})
		w.apply(t, of("web/a", "tcp", 1))
		time.Sleep(4500 * time.Millisecond)
		synctest.Wait()
		if want := []string{"web/a: failure 1", "web/a: failure 2", "web/a: failure 3"}; !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}
