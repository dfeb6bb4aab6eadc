package checker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"

	"holdfast/checker/health"
	"holdfast/checker/period"
	"holdfast/checker/probe"
	"holdfast/vrrp/due"
	"holdfast/vrrp/histogram"
)

// DefaultLimit is how many attempts run at once unless Options say otherwise.
const DefaultLimit = 1024

// Options are what a Set needs. The zero value of each field but OnChange
// stands for a default.
type Options struct {
	Log *slog.Logger // nil: none
	// OnChange receives every verdict, one call at a time. The verdicts of one
	// subject come in order. While a call runs the schedule goes on, and only the
	// newest Change of each subject waits. OnChange may call the Set's methods
	// except Close, which waits for it.
	OnChange func(Change)
	// OnFailure is called for each failed attempt and each server that it is about,
	// also of a server that is down already. It must return at once and must not call
	// the Set. nil: nobody wants to know.
	OnFailure func(server string, r Result)
	// Limit is how many attempts run at once. Others wait, and begin in the order
	// in which they were due.
	Limit int
	// Rand returns numbers in [0, 1), for the jitter.
	Rand func() float64
	// Tools make the probers; nil: tools without clients of other packages.
	Tools *probe.Tools
	// NewProber replaces Tools in tests. A prober that is an io.Closer is closed
	// when its question ends.
	NewProber func(Config) probe.Prober
}

// A Set runs checks. Its methods may be called by several goroutines at once.
type Set struct {
	log       *slog.Logger
	limit     int
	rand      func() float64
	newProber func(Config) probe.Prober
	onFailure func(server string, r Result)

	ctx     context.Context
	cancel  context.CancelFunc
	done    sync.WaitGroup // every goroutine
	pending *pending
	flights flights
	// pollerFailed says that the poller could not be opened so far. It is the scheduler's.
	pollerFailed bool
	epoch        time.Time
	wake         chan struct{} // holds one token after the first attempt due was moved forward

	mu        sync.Mutex
	subjects  map[string]*subject  // by Config.ID
	servers   map[string]*server   // by Config.Server
	waiting   map[string][]*server // by what their Config.Depends has
	questions map[questionKey][]*question
	queue     due.Queue[*question]            // without those whose attempts run
	spread    time.Duration                   // over which first attempts are spread
	running   int                             // number of attempts
	gone      []*question                     // without subjects since the scheduler looked, and their attempts run
	awake     bool                            // the scheduler is about to look at the queue
	places    map[string]*places              // by kind, for kinds with a limit of their own
	alarm     time.Time                       // when the scheduler's timer fires; zero: it is stopped
	lateness  histogram.Histogram             // of the beginnings of attempts
	durations map[string]*histogram.Histogram // of conclusive attempts, by kind
}

// A questionKey is what equal questions have in common that a map can look up.
type questionKey struct {
	kind    string
	address netip.AddrPort
}

// The errors that methods of a Set wrap.
var (
	ErrClosed  = errors.New("the checker is closed")
	ErrUnknown = errors.New("no such check")
	ErrNone    = errors.New("its check is of type none")
	ErrGone    = errors.New("the check was removed or changed meanwhile")
)

// New starts a Set without checks. Close ends it.
func New(o Options) *Set {
	s := &Set{
		log: o.Log, limit: o.Limit, rand: o.Rand, newProber: o.NewProber, onFailure: o.OnFailure,
		pending: newPending(), epoch: time.Now(), wake: make(chan struct{}, 1),
		subjects: make(map[string]*subject), servers: make(map[string]*server), questions: make(map[questionKey][]*question),
		durations: make(map[string]*histogram.Histogram), spread: DefaultSpread,
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

// Close ends all attempts and returns when the last goroutine has ended. OnChange
// is not called after that.
func (s *Set) Close() {
	// Under the lock no attempt begins, so none is added while we wait.
	s.mu.Lock()
	s.cancel()
	s.interrupt()
	for _, sub := range s.subjects {
		s.leave(sub)
	}
	s.mu.Unlock()
	s.done.Wait()
}

// Apply makes configs the Set's checks. New checks begin, missing ones end, and
// the others go on. A check that changed keeps its verdict until results of the
// new question refute it. A check that did not change also keeps its schedule.
// If Apply returns an error, nothing has changed. The error wraps a
// *probe.FieldError for each fault of each Config.
func (s *Set) Apply(configs []Config) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return ErrClosed
	}
	if err := s.validate(configs); err != nil {
		return err
	}
	now := time.Now()
	wanted := make(map[string]bool, len(configs))
	news := make(map[*server]*subject)
	for i := range configs {
		wanted[configs[i].ID] = true
		if sub := s.applyOne(&configs[i], now); sub != nil {
			news[sub.server] = sub
		}
	}
	// This comes last, so that a subject with a new ID finds its old question.
	for id, sub := range s.subjects {
		if !wanted[id] {
			delete(s.subjects, id)
			s.leave(sub)
			s.partServer(sub)
		}
	}
	s.linkDependents()
	for i := range configs {
		s.review(s.servers[configs[i].server()], news, now)
	}
	s.rouse()
	return nil
}

// validate returns every fault. Settings that the Set has already are not validated
// again: that takes most of the time of a reload, for instance for regular expressions.
func (s *Set) validate(configs []Config) error {
	var errs []error
	seen := make(map[string]bool, len(configs))
	for i := range configs {
		c := &configs[i]
		sub := s.subjects[c.ID]
		known := sub != nil && c.Probe != nil && reflect.DeepEqual(sub.cfg.Probe, c.Probe)
		if err := c.validate(!known); err != nil {
			errs = append(errs, fmt.Errorf("check %q: %w", c.ID, err))
		}
		if seen[c.ID] {
			errs = append(errs, fmt.Errorf("check %q: %w", c.ID, &probe.FieldError{Key: "id", Problem: "is given twice"}))
		}
		seen[c.ID] = true
	}
	return errors.Join(errs...)
}

// applyOne takes over the Config of one check. It returns the check if that made a
// verdict.
func (s *Set) applyOne(c *Config, now time.Time) *subject {
	sub := s.subjects[c.ID]
	known := sub != nil
	if !known || !sub.cfg.isSame(c) {
		c = c.clone()
	} else {
		c = sub.cfg
	}
	if !known {
		sub = &subject{cfg: c, health: health.Health{Assumed: health.Down}}
		if c.InitiallyUp {
			sub.health.Assumed = health.Up
		}
		s.subjects[c.ID] = sub
	}
	s.joinServer(sub, c.server())
	if known && sub.cfg.asksSame(c) {
		sub.cfg = c
		sub.health.Rise, sub.health.Fall = c.Rise, c.Fall
		return nil
	}
	s.leave(sub)
	sub.cfg = c
	sub.health.Rise, sub.health.Fall, sub.health.Run = c.Rise, c.Fall, health.Run{}
	if c.asksNobody() {
		return sub.assumeUp(now)
	}
	q := s.questionFor(c, now)
	sub.question = q
	q.subjects = append(q.subjects, sub)
	if !sub.health.Adopt(q.run()) {
		return nil
	}
	sub.since = q.answered().At
	return sub
}

// assumeUp makes the verdict of a check that asks nobody. It returns nil if the
// verdict was the same before.
func (s *subject) assumeUp(now time.Time) *subject {
	if s.health.State == health.Up {
		return nil
	}
	s.health.State, s.since = health.Up, now
	return s
}

// joinServer makes sub a check of the server with an ID.
func (s *Set) joinServer(sub *subject, id string) {
	switch {
	case sub.server == nil:
	case sub.server.id == id:
		return
	default:
		s.partServer(sub)
	}
	v := s.servers[id]
	if v == nil {
		v = &server{id: id}
		s.servers[id] = v
	}
	v.join(sub)
}

// partServer takes sub from its server. A server without checks is forgotten.
func (s *Set) partServer(sub *subject) {
	v := sub.server
	v.part(sub)
	if len(v.subjects) == 0 {
		delete(s.servers, v.id)
		s.pending.drop(v.id)
	}
}

// review reports what a new configuration means for a server. news has the check
// that made a verdict meanwhile.
func (s *Set) review(v *server, news map[*server]*subject, now time.Time) {
	by, r := news[v], Result{At: now, Reason: "the configuration changed"}
	switch {
	case by == nil:
	case by.question == nil:
		r.Reason = "not checked"
	default:
		r = by.question.answered()
	}
	s.judgeWaiting(v)
	s.report(v, by, r)
}

// report hands on what a result means for a server, if it changes anything.
func (s *Set) report(v *server, by *subject, r Result) {
	down := v.isDown()
	if c, changed := v.update(by, r); changed {
		s.pending.put(c)
	}
	if v.isDown() != down {
		s.tellDependents(v, r.At)
	}
}

// questionFor returns the question that c asks. It makes one if no subject asks
// it yet.
func (s *Set) questionFor(c *Config, now time.Time) *question {
	key := questionKey{c.Probe.Kind(), c.Address}
	for _, q := range s.questions[key] {
		if q.cfg.asksSame(c) {
			return q
		}
	}
	q := &question{extra: &ordinary, cfg: c, prober: s.newProber(*c)}
	if c.Period != "" {
		q.own().period, _ = period.Parse(c.Period) // Validate has done it before
	}
	if c.NegotiateEvery > 1 {
		connect := *c
		connect.Probe = probe.TCP{}
		q.own().connect = s.newProber(connect)
	}
	q.timer.Value = q
	q.schedule(s.epoch, now, s.spread, s.rand(), s.rand())
	s.questions[key] = append(s.questions[key], q)
	if w, ok := q.prober.(probe.Watcher); ok {
		q.own().unwatch = w.Watch(func() { s.nudge(q) })
	}
	s.queue.Set(&q.timer, q.at)
	return q
}

// leave takes sub from its question. A question without subjects ends.
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
	q.end()
	if q.unwatch != nil {
		q.unwatch()
	}
	if q.running { // the end of the attempt discards
		s.gone = append(s.gone, q)
		s.interrupt()
	} else {
		q.discard()
	}
	key := questionKey{q.cfg.Probe.Kind(), q.cfg.Address}
	s.questions[key] = slices.DeleteFunc(s.questions[key], func(other *question) bool { return other == q })
	if len(s.questions[key]) == 0 {
		delete(s.questions, key)
	}
	s.queue.Remove(&q.timer)
	if !q.running {
		s.passOn(q)
	}
}

// Force makes an attempt for a subject now and returns its result. If an attempt
// runs, Force waits for the next one, because the running one may have asked
// before the change that the caller asks about. The schedule does not change.
func (s *Set) Force(ctx context.Context, id string) (Result, error) {
	gone, result, err := s.force(id)
	if err != nil {
		return Result{}, fmt.Errorf("check %q: %w", id, err)
	}
	select {
	case r := <-result:
		return r, nil
	case <-gone:
		err = ErrGone
		if s.ctx.Err() != nil {
			err = ErrClosed
		}
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return Result{}, fmt.Errorf("check %q: %w", id, err)
}

func (s *Set) force(id string) (gone <-chan struct{}, _ <-chan Result, _ error) {
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
	e := q.own()
	e.waiters = append(e.waiters, result)
	s.hurry(q)
	return q.context(s.ctx).Done(), result, nil
}

// hurry makes the next attempt of a question begin now.
func (s *Set) hurry(q *question) {
	now := time.Now()
	if q.running || q.waiting || !q.at.IsZero() && !q.at.After(now) {
		return
	}
	q.at = now
	s.queue.Set(&q.timer, q.at)
	s.rouse()
}

// nudge makes an attempt because the answer may have changed: now, or when the
// running one has ended.
func (s *Set) nudge(q *question) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !q.over {
		q.nudged = true
		s.hurry(q)
	}
}
