package checker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"syscall"
	"time"

	"holdfast/checker/probe"
	"holdfast/vrrp/histogram"
)

// stall is how far beyond its timeout an attempt must have run to show that this
// process was stopped, for instance in a paused virtual machine. The answer may
// then have come in time.
const stall = 500 * time.Millisecond

// run begins attempts when they are due, until the Set is closed.
func (s *Set) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if alarm := s.beginDue(); alarm.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(alarm))
		}
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		case <-s.wake:
		}
	}
}

// beginDue begins the attempts that are due, as far as the limit allows. It
// returns the time of the next one; the zero time if the scheduler has to wait for
// the end of an attempt or for a new question.
func (s *Set) beginDue() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.alarm = time.Time{}
	for s.ctx.Err() == nil && s.running < s.limit {
		first := s.queue.Due(now)
		if first == nil {
			s.alarm = s.queue.Next()
			break
		}
		q := first.Value
		if q.idle(now) != "" {
			q.skip(now)
			s.queue.Set(first, q.at)
			continue
		}
		s.queue.Remove(first)
		if !s.takePlace(q) {
			continue
		}
		q.begin(now)
		s.running++
		s.done.Go(func() { s.attempt(q) })
	}
	return s.alarm
}

// rouse wakes the scheduler if its timer fires after the next attempt is due.
func (s *Set) rouse() {
	if s.queue.Len() == 0 || s.running >= s.limit {
		return
	}
	if !s.alarm.IsZero() && !s.queue.Next().Before(s.alarm) {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Set) attempt(q *question) {
	ctx, cancel := context.WithTimeout(q.ctx, q.cfg.Timeout)
	begun := time.Now()
	weight, err := s.probe(ctx, q)
	ended := time.Now()
	cancel()
	s.finish(q, begun, ended, weight, err)
}

// probe makes an attempt. A panic counts as a failure, because a defect in one kind
// of check must not end the daemon.
func (s *Set) probe(ctx context.Context, q *question) (weight *probe.Weight, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the probe panicked: %v", p)
			s.log.Error("probe panicked", "check", q.cfg.ID, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	asker := q.asker()
	if q.weigher != nil && asker == q.prober {
		return q.weigher.ProbeWeight(ctx)
	}
	return nil, asker.Probe(ctx)
}

func (s *Set) finish(q *question, begun, ended time.Time, weight *probe.Weight, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	q.running = false
	s.freePlace(q)
	if q.ctx.Err() != nil { // the last subject is gone
		s.rouse()
		return
	}
	late := q.late(begun)
	q.maxLate = max(q.maxLate, late)
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
		q.certificateEnds = holder.CertificateEnds()
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
