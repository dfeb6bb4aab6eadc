package track

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"
)

// A Reading is what one look found.
type Reading struct {
	Up     bool
	Number int    // of a numeric tracker
	Reason string // why it is not up, or what is strange though it is
	// Void says that the look itself failed, so that Up is false whatever the
	// tracker makes of it (Reverse); TimedOut, that it did because it took too long.
	Void, TimedOut bool
}

// A Config says what a tracker looks at and how often.
type Config struct {
	Name string // unique
	// Spec is whatever the tracker was made of. In another Apply a tracker of
	// the same name and an equal Spec keeps its state.
	Spec any
	// Look looks once, and returns soon after ctx ends. nil: the tracker does
	// not look but is told.
	Look     func(ctx context.Context) Reading
	Interval time.Duration // from the start of one look to the next
	Timeout  time.Duration // of ctx, at most Interval
	// Rise good readings in a row mean up, Fall bad ones down; 1 at least. A run
	// of bad ones of which fewer than Fall are not for a timeout means down when
	// it is TimeoutFall long; 0: Fall.
	Rise, Fall  int
	TimeoutFall int
	Reverse     bool // turns up into down, and the sign of a number
	Numeric     bool // Reading.Number counts, at once
	// Known is what another process knew. It counts until readings say otherwise.
	Known *Memory
}

// A Memory is what a process leaves of a tracker to the one that replaces it.
type Memory struct {
	Status
	Run run `json:"run"` // of readings, towards the next verdict
}

// A Change tells of another verdict or number.
type Change struct {
	Name     string
	At       time.Time
	From     State
	Standing Standing
	Reason   string
}

// A Status is what is known of a tracker.
type Status struct {
	Standing
	Since    time.Time     // of State; zero while it is unknown
	LastLook time.Time     // when the latest reading came; zero: none yet
	Took     time.Duration // the latest look
	Reason   string        // of the latest reading
	Cause    string        // of State: the reason of the reading that decided it
	Looks    uint64        // readings so far
	Bad      uint64        // of these, that were not up
	TimedOut uint64        // of the bad ones, because the look took too long
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

// A tracker belongs to its Set's lock.
type tracker struct {
	Config
	health  health
	status  Status
	due     time.Time // of the next look
	looking bool
	again   bool // nudged while it looked
	ctx     context.Context
	cancel  context.CancelFunc // ends its looks
}

// NewSet returns an empty set. onChange is called from other goroutines, for
// one tracker in the order of its changes, and must not call the set.
func NewSet(log *slog.Logger, onChange func(Change)) *Set {
	s := &Set{log: log, onChange: onChange, wake: make(chan struct{}, 1), trackers: map[string]*tracker{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.running.Go(s.run)
	return s
}

// Apply makes the trackers those of configs. New ones look at once. One whose
// Spec changed is what it was until readings say otherwise.
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
		t.health = health{rise: c.Rise, fall: c.Fall, lateFall: cmp.Or(c.TimeoutFall, c.Fall)}
		t.status.Numeric = c.Numeric
		if k := c.Known; k != nil && k.Numeric == c.Numeric {
			t.status, t.health.state, t.health.run = k.Status, k.State, k.Run
		} else if o := old[c.Name]; o != nil && o.Numeric == c.Numeric {
			t.status, t.health.state = o.status, o.health.state
		}
		t.ctx, t.cancel = context.WithCancel(s.ctx)
		s.trackers[c.Name] = t
	}
	for _, t := range old {
		t.cancel()
	}
	s.rouse()
}

// Close ends all looks and waits for them, but not for ever.
func (s *Set) Close() {
	s.cancel()
	s.running.Wait()
}

// Nudge has a tracker look now, because something tells that there is news.
// While a change is pending it does nothing: then readings count that are an
// interval apart.
func (s *Set) Nudge(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.trackers[name]
	if t == nil || t.Look == nil || t.health.pending() {
		return
	}
	t.again = t.looking
	t.due = time.Now()
	s.rouse()
}

// Tell gives a tracker a reading.
func (s *Set) Tell(name string, r Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.trackers[name]; t != nil {
		s.hear(t, r)
	}
}

// Status returns what is known of all trackers, by name.
func (s *Set) Status() map[string]Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]Status, len(s.trackers))
	for name, t := range s.trackers {
		all[name] = t.status
	}
	return all
}

// Remember returns what the set knows, for the process that replaces this one.
func (s *Set) Remember() map[string]Memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]Memory, len(s.trackers))
	for name, t := range s.trackers {
		all[name] = Memory{t.status, t.health.run}
	}
	return all
}

func (s *Set) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run keeps the schedule.
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

// startDue starts the looks whose time has come, and returns how long it is
// until the next.
func (s *Set) startDue(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := time.Hour
	for _, t := range s.trackers {
		if t.Look == nil || t.looking || s.ctx.Err() != nil {
			continue // the end of a look rouses
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

// overdue is how long a look may take to end when its time is over.
const overdue = time.Second

// look looks once. A look that does not end when it should, as of a process that
// waits in the kernel for a dead file server, counts as late with every interval;
// when its tracker is gone nobody waits for it.
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
		_, ended = await(t.ctx, t.Interval, found) // what it finds now is old
	}
	s.looked(t, r, stuck, time.Since(start))
}

// await returns what is found within a time, if ctx does not end before.
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

// late counts a look that cannot be ended as one that came too late.
func (s *Set) late(t *tracker, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.ctx.Err() == nil {
		reason := fmt.Sprintf("has not ended after %v, and cannot be ended", took.Round(100*time.Millisecond))
		s.hear(t, Reading{Reason: reason, Void: true, TimedOut: true})
	}
}

// looked notes that a look has ended, and hears what it found unless it was stuck.
func (s *Set) looked(t *tracker, r Reading, stuck bool, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.looking = false
	if t.ctx.Err() != nil { // removed: its reading is of no use, and may come of that
		return
	}
	t.status.Took = took
	if !stuck {
		s.hear(t, r)
	}
	now := time.Now()
	switch {
	case t.again && !t.health.pending():
		t.due = now
	case t.due.Before(now): // a look that took longer than the interval skips beats
		beats := int64((now.Sub(t.due) + t.Interval - 1) / t.Interval)
		t.due = t.due.Add(time.Duration(beats) * t.Interval)
	}
	t.again = false
	s.rouse()
}

// hear takes in a reading and tells what it changed.
func (s *Set) hear(t *tracker, r Reading) {
	now := time.Now()
	st := &t.status
	switch {
	case r.Void:
		r.Up, r.Number = false, st.Number
	case t.Reverse:
		r.Up, r.Number = !r.Up, -r.Number
		if !r.Up && r.Reason == "" {
			r.Reason = "it is there"
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
	changed := t.health.hear(r.Up, r.TimedOut)
	if changed {
		st.State, st.Since = t.health.state, now
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
