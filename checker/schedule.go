package checker

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"holdfast/checker/probe"
	"holdfast/vrrp/histogram"
)

// stall is how far beyond its timeout an attempt must have run to show that this
// process was stopped, for instance in a paused virtual machine. The answer may
// then have come in time.
const stall = 500 * time.Millisecond

// batch is how many attempts begin at most before the scheduler looks at the answers to
// others.
const batch = 64

// run begins attempts when they are due, and makes those that need no goroutine, until
// the Set is closed.
func (s *Set) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer s.abandon()
	var due []*question
	for s.ctx.Err() == nil {
		s.endGone()
		due = s.beginDue(due[:0])
		s.flights.crowd = len(due) >= crowd
		for _, q := range due {
			if stepper := s.stepper(q); stepper != nil {
				s.launch(q, stepper)
			} else {
				s.done.Go(func() { s.attempt(q) })
			}
		}
		s.settle()
		s.pause(timer)
	}
}

// beginDue appends the questions whose attempts are to begin now, as far as the limit
// allows.
func (s *Set) beginDue(due []*question) []*question {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.awake = true
	now := time.Now()
	for s.ctx.Err() == nil && s.running < s.limit && len(due) < batch {
		first := s.queue.Due(now)
		if first == nil {
			break
		}
		q := first.Value
		if q.idle(now) != "" {
			q.skip(now)
			s.queue.Set(first, q.at)
			s.passOn(q)
			continue
		}
		s.queue.Remove(first)
		if !s.takePlace(q) {
			continue
		}
		q.begin(now)
		s.running++
		due = append(due, q)
	}
	return due
}

// pause waits for the time of the next attempt, or for what comes first.
func (s *Set) pause(timer *time.Timer) {
	s.mu.Lock()
	s.alarm = time.Time{}
	if s.running < s.limit {
		s.alarm = s.queue.Next()
	}
	s.awake = false
	poller, busy := s.flights.poller, s.ctx.Err() != nil || len(s.gone) > 0
	if poller != nil {
		poller.Until(earlier(s.alarm, s.flights.expiries.Next()))
	}
	s.mu.Unlock()
	if busy { // it may have been interrupted before it had a poller
		return
	}
	if poller != nil {
		s.waitForSockets()
		return
	}
	timer.Stop()
	if !s.alarm.IsZero() {
		timer.Reset(time.Until(s.alarm))
	}
	select {
	case <-s.ctx.Done():
	case <-timer.C:
	case <-s.wake:
	}
}

// earlier returns the earlier of two times, of which the zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// rouse wakes the scheduler if it waits for something later than the next attempt.
func (s *Set) rouse() {
	if s.awake || s.queue.Len() == 0 || s.running >= s.limit {
		return
	}
	if !s.alarm.IsZero() && !s.queue.Next().Before(s.alarm) {
		return
	}
	s.interrupt()
}

// interrupt ends a wait of the scheduler.
func (s *Set) interrupt() {
	if s.flights.poller != nil {
		s.flights.poller.Until(longAgo)
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// longAgo is a time that has passed.
var longAgo = time.Unix(1, 0)

// contextOf is question.context, without the lock.
func (s *Set) contextOf(q *question) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return q.context(s.ctx)
}

func (s *Set) attempt(q *question) {
	ctx, cancel := context.WithTimeout(s.contextOf(q), q.cfg.Timeout)
	begun := time.Now()
	weight, err := s.probe(ctx, q)
	ended := time.Now()
	cancel()
	s.finish(q, begun, ended, weight, err)
}

// probe makes an attempt. A panic counts as a failure, because a defect in one kind
// of check must not end the daemon.
func (s *Set) probe(ctx context.Context, q *question) (*probe.Weight, error) {
	return s.guarded(q, func() (*probe.Weight, error) {
		asker := q.asker()
		if weigher, ok := asker.(probe.Weigher); ok {
			return weigher.ProbeWeight(ctx)
		}
		return nil, asker.Probe(ctx)
	})
}

// guarded returns the result of an attempt, or that it panicked.
func (s *Set) guarded(q *question, attempt func() (*probe.Weight, error)) (weight *probe.Weight, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.panicked(q, p)
		}
	}()
	return attempt()
}

func (s *Set) finish(q *question, begun, ended time.Time, weight *probe.Weight, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	q.running = false
	s.freePlace(q)
	if q.over { // the last subject is gone
		q.discard()
		s.rouse()
		return
	}
	late := q.late(begun)
	q.maxLate = max(q.maxLate, spanOf(late))
	s.lateness.Observe(late)
	r := q.judge(begun, ended, err)
	if r.OK {
		r.Weight = weight
	}
	if r.Inconclusive && !q.last.Inconclusive {
		s.log.Warn("the check could not find out how the server is", "check", q.cfg.ID, "reason", r.Reason)
	}
	q.took(r.OK)
	unsent := q.last.Unsent
	if q.record(r) {
		s.timed(q.cfg.Probe.Kind(), r.Took)
		for _, sub := range q.subjects {
			if sub.observe(r) || r.Weight != nil || r.Unsent != unsent {
				s.report(sub.server, sub, r)
			}
			if s.onFailure != nil && !r.OK {
				s.onFailure(sub.server.id, r)
			}
		}
	}
	for _, w := range q.served {
		w <- r
	}
	q.reschedule(begun, ended)
	if !q.at.IsZero() {
		s.queue.Set(&q.timer, q.at)
	}
	s.rouse()
}

// timed counts how long a conclusive attempt of a kind took.
func (s *Set) timed(kind string, took time.Duration) {
	h := s.durations[kind]
	if h == nil {
		h = new(histogram.Histogram)
		s.durations[kind] = h
	}
	h.Observe(took)
}

// judge returns the result of an attempt that ended with err.
func (q *question) judge(begun, ended time.Time, err error) Result {
	r := Result{At: ended, Took: ended.Sub(begun), OK: err == nil}
	if holder, ok := q.prober.(probe.CertificateHolder); ok {
		if ends := holder.CertificateEnds(); ends != q.certificateEnds {
			q.own().certificateEnds = ends
		}
	}
	if err == nil {
		q.excused = false
		if w, ok := q.prober.(probe.Warner); ok {
			r.Warning = w.Warning()
		}
		return r
	}
	r.Reason = err.Error()
	stalled := r.Took > q.cfg.Timeout+stall && !q.excused
	// A stall excuses one failure in a row. Otherwise a process that is always this
	// late would keep a dead server in service.
	q.excused = stalled
	if stalled {
		r.Reason = fmt.Sprintf("this process stood still for about %v: %s",
			(r.Took - q.cfg.Timeout).Round(100*time.Millisecond), r.Reason)
	}
	r.Inconclusive = stalled || q.isOurs(err)
	if !r.Inconclusive && errors.Is(err, probe.ErrUnsent) {
		r.Unsent = true
		r.Reason = "not sent: " + r.Reason
	}
	return r
}

// isOurs reports whether err is a fault of this host, not of the server.
func (q *question) isOurs(err error) bool {
	if probe.IsInconclusive(err) {
		return true
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return false
	}
	switch errno {
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
		syscall.EPERM: // no capability, or our own packet filter
		return true
	case syscall.EADDRNOTAVAIL, syscall.EADDRINUSE: // connect(2): no free local port
		return !q.cfg.Dial.Source.IsValid()
	}
	return false
}
