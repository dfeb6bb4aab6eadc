package resource

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A stage runs a chain of resources that do not exist, in a time of its own.
type stage struct {
	c     Chain
	now   time.Time
	alive map[string]bool
	fails map[string]string // "start a" ⇒ problem
	said  []string          // "start a", and changes with a reason
}

func newStage(list ...Spec) *stage {
	s := &stage{now: begin, alive: map[string]bool{}, fails: map[string]string{}}
	s.c.SetWish(s.now, None)
	s.c.Apply(s.now, list)
	return s
}

// do carries a job out.
func (s *stage) do(j Job) {
	what := string(j.Action) + " " + j.Name
	s.said = append(s.said, what)
	problem := s.fails[what]
	switch {
	case problem != "":
	case j.Action == Look && !s.alive[j.Name]:
		problem = "dead"
	case j.Action != Look:
		s.alive[j.Name] = j.Action == Start
	}
	s.c.Done(s.now, problem)
}

// settle carries jobs out until none is left that is due in a time.
func (s *stage) settle(in time.Duration) {
	end := s.now.Add(in)
	for range 1000 {
		if j, ok := s.c.Step(s.now); ok {
			s.do(j)
			continue
		}
		next := s.c.Deadline(s.now)
		if next.IsZero() || next.After(end) {
			s.now = end
			return
		}
		s.now = next
	}
	panic("the chain never rests: " + fmt.Sprint(s.said[:20]))
}

func (s *stage) wish(w Wish) { s.c.SetWish(s.now, w) }

// expect compares what was done since the last time.
func (s *stage) expect(t *testing.T, want string) {
	t.Helper()
	if got := strings.Join(s.said, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	s.said = nil
}

// settled wishes, lets the chain come to rest, and compares what was done.
func (s *stage) settled(t *testing.T, w Wish, want string) {
	t.Helper()
	s.wish(w)
	s.settle(time.Hour)
	s.expect(t, want)
}

// A resource that must not run on two directors stops before its group leaves, and is not
// started again while it does. One that may goes on until the addresses are gone.
func TestYield(t *testing.T) {
	s := newStage(Spec{Name: "disk", Early: true, Exclusive: true}, Spec{Name: "rules", Early: true}, Spec{Name: "web"})
	s.settle(time.Hour)
	s.settled(t, All, "start disk, start rules, start web")
	s.settled(t, Yield, "stop web, stop disk")
	if !s.c.Settled() {
		t.Error("the handover waits for what goes on")
	}
	s.settled(t, All, "start disk, start web") // it does not leave after all
	s.settled(t, Yield, "stop web, stop disk")
	s.settled(t, None, "stop rules")
}

func TestOrder(t *testing.T) {
	s := newStage(Spec{Name: "a"}, Spec{Name: "early", Early: true}, Spec{Name: "b"})
	s.settle(time.Hour)
	s.expect(t, "")
	s.wish(Early)
	if s.c.Ready() {
		t.Error("the addresses do not wait")
	}
	s.settle(time.Hour)
	s.expect(t, "start early")
	if !s.c.Ready() {
		t.Error("the addresses wait still")
	}
	s.settled(t, All, "start a, start b")
	s.settled(t, None, "stop b, stop a, stop early")
	s.settled(t, All, "start early, start a, start b")
	s.settled(t, Early, "stop b, stop a")
	s.settled(t, None, "stop early")
}

// A start is unwanted when the group is MASTER no more, when the resource is not
// configured any more or differently, and when the daemon stops. A stop never is.
func TestUnwantedStart(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*stage)
		want   bool
	}{
		{"nothing", func(*stage) {}, false},
		{"not known who is MASTER", func(s *stage) { s.wish(Hold) }, false},
		{"BACKUP", func(s *stage) { s.wish(None) }, true},
		{"BACKUP and MASTER again", func(s *stage) { s.wish(None); s.wish(All) }, false},
		{"removed", func(s *stage) { s.c.Apply(s.now, nil) }, true},
		{"changed", func(s *stage) { s.c.Apply(s.now, []Spec{{Name: "a", Runner: LSB{Script: "/a"}}}) }, true},
		{"end", func(s *stage) { s.c.Close() }, true},
	} {
		s := newStage(Spec{Name: "a"})
		s.wish(All)
		j, _ := s.c.Step(s.now)
		test.change(s)
		if got := s.c.Unwanted(); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
		s.do(j)
		s.wish(None)
		s.c.Step(s.now)
		if s.c.Unwanted() {
			t.Errorf("%s: a stop is unwanted", test.name)
		}
	}
}

// What is closed starts nothing, also what was to be up, and stops everything.
func TestClosed(t *testing.T) {
	s := newStage(Spec{Name: "a"}, Spec{Name: "b"})
	s.wish(All)
	j, _ := s.c.Step(s.now)
	s.do(j)
	s.c.Close()
	s.settle(time.Hour)
	if !s.c.Settled() {
		t.Error("it waits for a start")
	}
	s.wish(None)
	s.settle(time.Hour)
	s.expect(t, "start a, stop a")
}

// The last wish wins, and what runs is brought to an end first.
func TestWishesChangeMeanwhile(t *testing.T) {
	s := newStage(Spec{Name: "a"}, Spec{Name: "b"})
	s.wish(All)
	j, _ := s.c.Step(s.now)
	for range 10 {
		s.wish(None)
		s.wish(All)
		if _, ok := s.c.Step(s.now); ok {
			t.Fatal("two jobs at once")
		}
	}
	s.wish(None)
	s.do(j)
	s.settle(time.Hour)
	s.expect(t, "start a, stop a")
	s.wish(All)
	s.settle(time.Hour)
	s.said = nil
	s.wish(None)
	j, _ = s.c.Step(s.now)
	s.wish(All)
	s.do(j)
	s.settle(time.Hour)
	s.expect(t, "stop b, start b")
}

// A start that fails is cleaned up after, tried again, and then is a fault, until it is
// time for another attempt.
func TestStartFails(t *testing.T) {
	s := newStage(Spec{Name: "a", Retries: 1, RetryAfter: time.Minute, Faults: true}, Spec{Name: "b"})
	s.fails["start a"] = "no disk"
	s.wish(All)
	s.settle(30 * time.Second)
	s.expect(t, "start a, stop a, start a, stop a, start b")
	if got := s.c.Fault(); got != "resource a does not run: no disk" {
		t.Errorf("fault %q", got)
	}
	s.wish(None)
	s.settle(10 * time.Second)
	s.expect(t, "stop b")
	delete(s.fails, "start a")
	s.settle(time.Hour)
	if got := s.c.Fault(); got != "" {
		t.Errorf("fault %q", got)
	}
	s.wish(All)
	s.settle(time.Hour)
	s.expect(t, "start a, start b")
}

// One that never can be started is tried again by a reload only, if RetryAfter is 0.
func TestRetryByReload(t *testing.T) {
	spec := Spec{Name: "a"}
	s := newStage(spec)
	s.fails["start a"] = "x"
	s.wish(All)
	s.settle(24 * time.Hour)
	s.expect(t, "start a, stop a")
	s.c.Apply(s.now, []Spec{spec})
	s.settle(24 * time.Hour)
	s.expect(t, "start a, stop a")
}

// One that dies is started again, and after too many deaths in a row it has failed. One
// that then runs for long has no failures any more.
func TestDies(t *testing.T) {
	s := newStage(Spec{Name: "a", Watched: true, Interval: 10 * time.Second, Retries: 2})
	s.wish(All)
	s.settle(25 * time.Second)
	s.expect(t, "start a, status a, status a")
	s.alive["a"] = false
	s.settle(10 * time.Second)
	s.expect(t, "status a, stop a, start a")
	s.settle(2 * time.Minute)
	if n := s.c.Standings()[0].Failures; n != 0 {
		t.Errorf("%d failures", n)
	}
	s.fails["status a"] = "hangs"
	s.settle(24 * time.Hour)
	if st := s.c.Standings()[0]; st.State != Failed || st.Failures != 3 {
		t.Errorf("%+v", st)
	}
}

// What cannot be stopped is tried again, said, and does not keep the others.
func TestStopFails(t *testing.T) {
	s := newStage(Spec{Name: "a"}, Spec{Name: "b", Retries: 1})
	s.wish(All)
	s.settle(0)
	s.said, s.fails["stop b"] = nil, "busy"
	s.wish(None)
	s.settle(time.Hour)
	s.expect(t, "stop b, stop b, stop a")
	if st := s.c.Standings()[1]; st.State != Stuck || !s.c.Settled() {
		t.Errorf("%+v", st)
	}
	s.wish(All)
	delete(s.fails, "stop b")
	s.settle(time.Hour)
	s.expect(t, "start a, start b")
}

// A reload stops what it does not have or has otherwise, as that was started, and leaves
// the rest alone.
func TestReload(t *testing.T) {
	old, new := Systemd{Unit: "old"}, Systemd{Unit: "new"}
	s := newStage(Spec{Name: "a"}, Spec{Name: "b", Runner: old}, Spec{Name: "c", Runner: old})
	s.wish(All)
	s.settle(0)
	s.said = nil
	s.c.Apply(s.now, []Spec{{Name: "c", Runner: new}, {Name: "a", Interval: time.Minute}, {Name: "d"}})
	j, _ := s.c.Step(s.now)
	if j.Name != "b" || j.Runner != Runner(old) {
		t.Errorf("%+v", j)
	}
	s.do(j)
	j, _ = s.c.Step(s.now)
	if j.Name != "c" || j.Action != Stop || j.Runner != Runner(old) {
		t.Errorf("%+v", j)
	}
	s.do(j)
	j, _ = s.c.Step(s.now)
	if j.Runner != Runner(new) {
		t.Errorf("%+v", j)
	}
	s.do(j)
	s.settle(0)
	s.expect(t, "stop b, stop c, start c, start d")
}

// What a former process knew goes on: what runs is not started again, what it had begun
// is waited for, and after a crash what can be asked is asked.
func TestAdopt(t *testing.T) {
	list := []Spec{{Name: "a"}, {Name: "b", Watched: true}, {Name: "c"}}
	former := newStage(list...)
	former.wish(All)
	former.settle(0)
	former.wish(None)
	former.c.Step(former.now) // stops c
	saved := former.c.Save()
	for i := range saved {
		saved[i].Crashed = true
		if saved[i].Action == Stop {
			saved[i].PID = 4711
		}
	}
	s := &stage{now: begin, alive: map[string]bool{"a": true}, fails: map[string]string{}}
	s.c.Apply(s.now, list)
	for _, one := range append(saved, Saved{Name: "stranger", State: Started}) {
		if s.c.Adopt(s.now, one) == (one.Name == "stranger") {
			t.Errorf("%s was adopted wrongly", one.Name)
		}
	}
	if j, ok := s.c.Step(s.now); !ok || !j.Outlives || j.Name != "c" {
		t.Fatalf("%+v", j)
	}
	if _, again := s.c.Step(s.now); again {
		t.Fatal("two jobs at once")
	}
	s.c.Done(s.now, "")
	s.settle(time.Hour)
	s.expect(t, "") // nobody knows yet who is MASTER
	s.wish(All)
	s.settle(time.Hour)
	s.expect(t, "status b, start b, start c")
}

// Whatever comes, jobs do not overlap, and the chain comes to rest where the wish wants
// it.
func TestRandomWalk(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		specs := []Spec{{Name: "a", Early: true}, {Name: "b", Watched: true, Interval: time.Second, Retries: 1}, {Name: "c", Retries: 2, RetryAfter: 5 * time.Second}, {Name: "d"}}
		s := newStage(specs...)
		var job *Job
		for range 200 {
			s.now = s.now.Add(time.Duration(r.IntN(1500)) * time.Millisecond)
			switch r.IntN(5) {
			case 0:
				s.wish(None + Wish(r.IntN(3)))
			case 1:
				if job != nil {
					s.do(*job)
					job = nil
				}
			case 2:
				s.fails[[]string{"start ", "stop "}[r.IntN(2)]+specs[r.IntN(4)].Name] = []string{"", "x"}[r.IntN(2)]
			case 3:
				s.c.Apply(s.now, slices.Clone(specs))
			}
			if j, ok := s.c.Step(s.now); ok {
				if job != nil {
					t.Fatalf("seed %d: %v begins while %v runs", seed, j, *job)
				}
				job = &j
			}
		}
		clear(s.fails)
		s.wish(All)
		if job != nil {
			s.do(*job)
		}
		s.settle(time.Minute)
		s.c.Retry(s.now)
		s.settle(time.Minute)
		for _, st := range s.c.Standings() {
			if st.State != Started || !s.alive[st.Name] {
				t.Fatalf("seed %d: %s is %s at the end", seed, st.Name, st.State)
			}
		}
		s.wish(None)
		s.settle(time.Minute)
		for name, alive := range s.alive {
			if alive || !s.c.Settled() {
				t.Fatalf("seed %d: %s runs at the end", seed, name)
			}
		}
	}
}
