package checker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"holdfast/checker/health"
	"holdfast/checker/probe"
	"holdfast/vrrp/due"
)

// DefaultLimit is how many attempts run at once unless Options say otherwise.
const DefaultLimit = 1024

// Options are what a Set needs. The zero value of each field but OnChange
// stands for a default.
type Options struct {
	Log *slog.Logger // nil: none
	// OnChange receives every verdict, one call at a time, those of one subject
	// in their order. While it is slow the schedule goes on, and of each
	// subject only the newest Change is kept for it. It may call the Set, but
	// not Close, which waits for it.
	OnChange func(Change)
	// Limit is how many attempts run at once; those beyond it wait, the one
	// that was due first coming first.
	Limit int
	// Rand returns numbers in [0, 1), for the jitter.
	Rand func() float64
	// Tools make the probers; nil: tools without clients of other packages.
	Tools *probe.Tools
	// NewProber makes the prober of a question instead of Tools, for tests. A
	// prober that is an io.Closer is closed when its question ends.
	NewProber func(Config) probe.Prober
}

// A Set is a number of checks that are being made.
type Set struct {
	log       *slog.Logger
	limit     int
	rand      func() float64
	newProber func(Config) probe.Prober

	ctx     context.Context
	cancel  context.CancelFunc
	done    sync.WaitGroup // every goroutine
	pending *pending
	epoch   time.Time
	wake    chan struct{} // holds one token while the first attempt due came nearer

	mu        sync.Mutex
	subjects  map[string]*subject
	questions map[place][]*question
	queue     due.Queue[*question] // those whose attempts do not run
	running   int                  // attempts
	alarm     time.Time            // when the scheduler wakes by itself; zero: it does not
}

// A place is where questions are looked for that are the same.
type place struct {
	kind    string
	address netip.AddrPort
}

// Errors of a Set's verbs.
var (
	ErrClosed  = errors.New("the checker is closed")
	ErrUnknown = errors.New("no such check")
	ErrNone    = errors.New("its check is of type none")
	ErrGone    = errors.New("the check was removed or changed meanwhile")
)

// New starts a Set without checks. Close ends it.
func New(o Options) *Set {
	s := &Set{
		log: o.Log, limit: o.Limit, rand: o.Rand, newProber: o.NewProber,
		pending: newPending(), epoch: time.Now(), wake: make(chan struct{}, 1),
		subjects: make(map[string]*subject), questions: make(map[place][]*question),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.limit <= 0 {
		s.limit = DefaultLimit
	}
	if s.rand == nil {
		s.rand = rand.Float64
	}
	if s.newProber == nil {
		tools := o.Tools
		if tools == nil {
			tools = new(probe.Tools)
		}
		s.newProber = func(c Config) probe.Prober { return tools.Prober(c.Probe, c.target()) }
	}
	if o.OnChange == nil {
		o.OnChange = func(Change) {}
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.done.Go(s.run)
	s.done.Go(func() { s.pending.deliver(s.ctx, o.OnChange) })
	return s
}

// Close ends all attempts and returns when the last goroutine has ended. After
// it OnChange is not called.
func (s *Set) Close() {
	// Under the lock no attempt begins, so none is added while we wait.
	s.mu.Lock()
	s.cancel()
	for _, sub := range s.subjects {
		s.leave(sub)
	}
	s.mu.Unlock()
	s.done.Wait()
}

// Apply makes configs the Set's checks: new ones begin, those that are missing
// end, and the others go on. One that changed keeps its verdict until the new
// question refutes it; one that did not keeps its schedule too. With an error
// nothing changes; it wraps a *FieldError for each fault of each Config.
func (s *Set) Apply(configs []Config) error {
	if err := validate(configs); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return ErrClosed
	}
	now := time.Now()
	wanted := make(map[string]bool, len(configs))
	for _, c := range configs {
		wanted[c.ID] = true
		s.applyOne(c, now)
	}
	// Last, so that a subject with a new name finds its old question.
	for id, sub := range s.subjects {
		if !wanted[id] {
			delete(s.subjects, id)
			s.pending.drop(id)
			s.leave(sub)
		}
	}
	s.rouse()
	return nil
}

func validate(configs []Config) error {
	var errs []error
	seen := make(map[string]bool, len(configs))
	for i := range configs {
		c := &configs[i]
		if err := c.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("check %q: %w", c.ID, err))
		}
		if seen[c.ID] {
			errs = append(errs, fmt.Errorf("check %q: %w", c.ID, &probe.FieldError{Key: "id", Problem: "is given twice"}))
		}
		seen[c.ID] = true
	}
	return errors.Join(errs...)
}

func (s *Set) applyOne(c Config, now time.Time) {
	sub := s.subjects[c.ID]
	if sub == nil {
		sub = &subject{cfg: c, health: health.Health{Assumed: health.Down}}
		if c.InitiallyUp {
			sub.health.Assumed = health.Up
		}
		s.subjects[c.ID] = sub
	} else if sub.cfg.asksSame(&c) {
		sub.cfg = c
		sub.health.Rise, sub.health.Fall = c.Rise, c.Fall
		return
	}
	s.leave(sub)
	sub.cfg = c
	sub.health.Rise, sub.health.Fall, sub.health.Run = c.Rise, c.Fall, health.Run{}
	if c.asksNobody() {
		s.assumeUp(sub, now)
		return
	}
	q := s.questionFor(&c, now)
	sub.question = q
	q.subjects = append(q.subjects, sub)
	if sub.health.Adopt(q.run) {
		s.pending.put(sub.verdict(q.answer))
	}
}

// assumeUp is the verdict on a subject that nobody asks.
func (s *Set) assumeUp(sub *subject, now time.Time) {
	if sub.health.State == health.Up {
		return
	}
	sub.health.State = health.Up
	c := sub.verdict(Result{At: now})
	c.Reason = "not checked"
	s.pending.put(c)
}

// questionFor returns the question of c, which is a new one unless somebody
// asks it already.
func (s *Set) questionFor(c *Config, now time.Time) *question {
	p := place{c.Probe.Kind(), c.Address}
	for _, q := range s.questions[p] {
		if q.cfg.asksSame(c) {
			return q
		}
	}
	q := &question{cfg: *c, prober: s.newProber(*c)}
	q.ctx, q.cancel = context.WithCancel(s.ctx)
	q.timer.Value = q
	q.schedule(s.epoch, now, s.rand(), s.rand())
	s.questions[p] = append(s.questions[p], q)
	s.queue.Set(&q.timer, q.at)
	return q
}

// leave takes sub from its question, which ends with its last subject.
func (s *Set) leave(sub *subject) {
	q := sub.question
	if q == nil {
		return
	}
	sub.question = nil
	q.subjects = slices.DeleteFunc(q.subjects, func(other *subject) bool { return other == sub })
	if len(q.subjects) > 0 {
		return
	}
	q.cancel()
	probe.Discard(q.prober)
	p := place{q.cfg.Probe.Kind(), q.cfg.Address}
	s.questions[p] = slices.DeleteFunc(s.questions[p], func(other *question) bool { return other == q })
	if len(s.questions[p]) == 0 {
		delete(s.questions, p)
	}
	s.queue.Remove(&q.timer)
}

// Force asks about a subject now, whatever its schedule, and returns what was
// found. A running attempt is not it: that one's question may be older than
// what the caller wants to know. The schedule goes on as if nothing had been.
func (s *Set) Force(ctx context.Context, id string) (Result, error) {
	q, result, err := s.force(id)
	if err != nil {
		return Result{}, fmt.Errorf("check %q: %w", id, err)
	}
	select {
	case r := <-result:
		return r, nil
	case <-q.ctx.Done():
		err = ErrGone
		if s.ctx.Err() != nil {
			err = ErrClosed
		}
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return Result{}, fmt.Errorf("check %q: %w", id, err)
}

func (s *Set) force(id string) (*question, <-chan Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sub := s.subjects[id]
	switch {
	case s.ctx.Err() != nil:
		return nil, nil, ErrClosed
	case sub == nil:
		return nil, nil, ErrUnknown
	case sub.question == nil:
		return nil, nil, ErrNone
	}
	q := sub.question
	result := make(chan Result, 1)
	q.waiters = append(q.waiters, result)
	if now := time.Now(); !q.running && q.at.After(now) {
		q.at = now
		s.queue.Set(&q.timer, q.at)
		s.rouse()
	}
	return q, result, nil
}
