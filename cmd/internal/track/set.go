package track

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"holdfast/checker/health"
)

// A Reading is the result of one look.
type Reading struct {
	Up     bool
	Number int    // with Config.Numeric only
	Reason string // why the subject is not up, or a remark although it is
	// Void says that the look itself failed and found out nothing: the reading is
	// bad even with Config.Reverse.
	Void bool
	// TimedOut says that the look failed because it took too long. Void is set too.
	TimedOut bool
	// Starved says that this host had no descriptor, process or memory left for the look. It
	// says nothing of the subject, and the state stays; the next look follows as ever.
	Starved bool
}

// A Config says what a tracker looks at and how often.
type Config struct {
	Name string // unique
	// Spec is what the tracker was made from. [Set.Apply] keeps a tracker whose
	// name is the same and whose Spec is deeply equal.
	Spec any
	// Look looks once and returns soon after ctx ends. A tracker without Look
	// receives its readings by [Set.Report].
	Look     func(ctx context.Context) Reading
	Interval time.Duration // from the start of one look to the start of the next
	Timeout  time.Duration // of the ctx of Look; at most Interval
	// Rise is how many good readings in a row mean up, at least 1.
	Rise int
	// Fall is how many bad readings in a row mean down, at least 1. Readings that
	// timed out do not count here.
	Fall int
	// TimeoutFall is how many bad readings in a row mean down when those that
	// timed out are counted too; 0 is Fall.
	TimeoutFall int
	Reverse     bool // a subject that is up makes the tracker down; a number changes its sign
	Numeric     bool // Reading.Number counts, from the first reading on
	// Known is the state that another process has handed over. It counts until
	// readings change it.
	Known *Memory
}

// A Memory is the state of a tracker that a process hands over to the process
// that replaces it.
type Memory struct {
	Status
	Run health.Run `json:"run"` // the latest readings
}

// A Change reports that a tracker has another state or number.
type Change struct {
	Name     string
	At       time.Time
	From     State // the state before
	Standing Standing
	Reason   string // of the reading that caused the change
}

// A Status is the present state of a tracker.
type Status struct {
	Standing
	Since    time.Time     // when State last changed; zero while it is unknown
	LastLook time.Time     // when the latest reading came; zero before the first
	Took     time.Duration // how long the latest look took
	Reason   string        // of the latest reading
	Cause    string        // the Reason of the reading that led to State
	Looks    uint64        // the number of readings
	Bad      uint64        // the number of readings that were not up
	TimedOut uint64        // the number of bad readings that timed out
}

// A Set runs trackers. Its methods may be called from any goroutine.
type Set struct {
	log      *slog.Logger
	onChange func(Change)
	ctx      context.Context
	cancel   context.CancelFunc
	wake     chan struct{}
	running  sync.WaitGroup

	mu       sync.Mutex
	trackers map[string]*tracker
}

// A tracker is guarded by its Set's mutex.
type tracker struct {
	Config
	health  health.Health
	status  Status
	due     time.Time // when the next look starts
	looking bool
	again   bool // nudged during a look
	ctx     context.Context
	cancel  context.CancelFunc // ends its looks
}

// NewSet returns an empty set. It calls onChange from other goroutines, with the
// changes of one tracker in their order. onChange must not call the set.
func NewSet(log *slog.Logger, onChange func(Change)) *Set {
	s := &Set{log: log, onChange: onChange, wake: make(chan struct{}, 1), trackers: map[string]*tracker{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.running.Go(s.run)
	return s
}

// Apply replaces the trackers with those of configs. New ones look at once. A
// tracker whose Spec has changed keeps its state until readings change it.
func (s *Set) Apply(configs []Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.trackers
	s.trackers = make(map[string]*tracker, len(configs))
	for _, c := range configs {
		if t := old[c.Name]; t != nil && reflect.DeepEqual(t.Spec, c.Spec) {
			s.trackers[c.Name] = t
			delete(old, c.Name)
			continue
		}
		t := &tracker{Config: c, due: time.Now()}
		t.health = health.Health{Rise: c.Rise, Fall: c.Fall, LateFall: cmp.Or(c.TimeoutFall, c.Fall)}
		t.status.Numeric = c.Numeric
		if k := c.Known; k != nil && k.Numeric == c.Numeric {
			t.status, t.health.State, t.health.Run = k.Status, k.State, k.Run
		} else if o := old[c.Name]; o != nil && o.Numeric == c.Numeric {
			t.status, t.health.State = o.status, o.health.State
		}
		t.ctx, t.cancel = context.WithCancel(s.ctx)
		s.trackers[c.Name] = t
	}
	for _, t := range old {
		t.cancel()
	}
	s.reschedule()
}

// Close stops all looks. It waits for them, but no longer than they may be
// overdue.
func (s *Set) Close() {
	s.cancel()
	s.running.Wait()
}

// Nudge makes a tracker look now, because its subject may have changed. It does
// nothing while a change is pending: the readings that decide must be an
// interval apart.
func (s *Set) Nudge(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.trackers[name]
	if t == nil || t.Look == nil || t.health.Pending() {
		return
	}
	t.again = t.looking
	t.due = time.Now()
	s.reschedule()
}

// Report gives a tracker a reading that somebody else has made.
func (s *Set) Report(name string, r Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.trackers[name]; t != nil {
		s.record(t, r)
	}
}

// Status returns the state of all trackers, by name.
func (s *Set) Status() map[string]Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]Status, len(s.trackers))
	for name, t := range s.trackers {
		all[name] = t.status
	}
	return all
}

// Remember returns the state of all trackers, by name, for the process that
// replaces this one.
func (s *Set) Remember() map[string]Memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]Memory, len(s.trackers))
	for name, t := range s.trackers {
		all[name] = Memory{t.status, t.health.Run}
	}
	return all
}

// reschedule makes run compute anew which look is next.
func (s *Set) reschedule() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run starts the looks when they are due.
func (s *Set) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(s.startDue(time.Now()))
		select {
		case <-timer.C:
		case <-s.wake:
		case <-s.ctx.Done():
			return
		}
	}
}

// startDue starts the looks that are due and returns the time until the next.
func (s *Set) startDue(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := time.Hour
	for _, t := range s.trackers {
		if t.Look == nil || t.looking || s.ctx.Err() != nil {
			continue // the end of a look reschedules
		}
		if left := t.due.Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		t.looking = true
		t.due = now.Add(t.Interval)
		wait = min(wait, t.Interval)
		s.running.Go(func() { s.look(t) })
	}
	return wait
}

// overdue is how long a look may take to return after its timeout.
const overdue = time.Second

// look looks once. A look that does not return, because its process waits in the
// kernel for a dead file server for instance, counts as one that timed out, again
// at every interval. When the tracker is removed, look stops waiting.
func (s *Set) look(t *tracker) {
	ctx, cancel := context.WithTimeout(t.ctx, t.Timeout)
	defer cancel()
	start := time.Now()
	found := make(chan Reading, 1)
	go func() { found <- t.Look(ctx) }()
	r, ended := await(t.ctx, t.Timeout, found)
	if !ended {
		r, ended = await(context.Background(), overdue, found)
	}
	stuck := !ended
	for !ended && t.ctx.Err() == nil {
		s.late(t, time.Since(start))
		_, ended = await(t.ctx, t.Interval, found) // a result that late is not used
	}
	s.looked(t, r, stuck, time.Since(start))
}

// await returns what is found within d unless ctx ends before.
func await(ctx context.Context, d time.Duration, found <-chan Reading) (r Reading, ended bool) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	select {
	case r = <-found:
		return r, true
	case <-ctx.Done():
		return r, false
	}
}

// late records a look that does not return as one that timed out.
func (s *Set) late(t *tracker, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.ctx.Err() == nil {
		reason := fmt.Sprintf("the check has not ended after %v and cannot be stopped", took.Round(100*time.Millisecond))
		s.record(t, Reading{Reason: reason, Void: true, TimedOut: true})
	}
}

// looked records the result of a look that has returned, unless it was stuck,
// and schedules the next.
func (s *Set) looked(t *tracker, r Reading, stuck bool, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.looking = false
	if t.ctx.Err() != nil { // removed: the look may have failed for that very reason
		return
	}
	t.status.Took = took
	if !stuck {
		s.record(t, r)
	}
	now := time.Now()
	switch {
	case t.again && !t.health.Pending():
		t.due = now
	case t.due.Before(now): // a look that took longer than the interval skips some
		skipped := int64((now.Sub(t.due) + t.Interval - 1) / t.Interval)
		t.due = t.due.Add(time.Duration(skipped) * t.Interval)
	}
	t.again = false
	s.reschedule()
}

// record takes in a reading and calls onChange if it changed something.
func (s *Set) record(t *tracker, r Reading) {
	now := time.Now()
	st := &t.status
	if r.Starved {
		s.log.Warn("a tracker could not look, and stays as it is", "name", t.Name, "err", r.Reason)
		return
	}
	switch {
	case r.Void:
		r.Up, r.Number = false, st.Number
	case t.Reverse:
		r.Up, r.Number = !r.Up, -r.Number
		if !r.Up && r.Reason == "" {
			r.Reason = "the check succeeded, and reverse is set"
		}
	}
	st.Looks++
	if !r.Up {
		st.Bad++
	}
	if r.TimedOut {
		st.TimedOut++
	}
	if r.Reason != st.Reason && r.Reason != "" {
		s.log.Debug("tracker", "name", t.Name, "up", r.Up, "reason", r.Reason)
	}
	from := st.State
	changed := t.health.Observe(r.Up, r.TimedOut)
	if changed {
		st.State, st.Since = t.health.State, now
	}
	changed = changed || t.Numeric && r.Number != st.Number
	if changed {
		st.Cause = r.Reason
	}
	st.LastLook, st.Reason, st.Number = now, r.Reason, r.Number
	if changed {
		s.onChange(Change{Name: t.Name, At: now, From: from, Standing: st.Standing, Reason: r.Reason})
	}
}
