package checker

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"holdfast/checker/poll"
	"holdfast/checker/probe"
	"holdfast/vrrp/due"
)

// A flight is an attempt that the scheduler makes itself, step by step.
type flight struct {
	question *question
	steps    probe.Steps
	begun    time.Time
	expiry   due.Item[*flight]
	fd       int
}

// flights are the attempts that the scheduler makes itself. They belong to its
// goroutine, but for the poller.
type flights struct {
	poller   *poll.Poller // nil until the first flight; written under the lock of the Set
	bySocket []*flight    // by file descriptor
	expiries due.Queue[*flight]
	crowd    bool      // many attempts begin
	fresh    []*flight // of the crowd, whose sockets are not watched yet
	spare    []*flight // that have landed
}

// crowd is how many attempts must begin together for a second look at each before its
// socket is watched. On a fast network, the first have their answers when the last has
// begun, and to watch a socket is a twentieth of the cost of a check.
const crowd = 8

// at returns the attempt that waits for a socket; nil if none does.
func (all *flights) at(fd int) *flight {
	if fd < 0 || fd >= len(all.bySocket) {
		return nil
	}
	return all.bySocket[fd]
}

// put notes which attempt waits for a socket; nil: none.
func (all *flights) put(fd int, f *flight) {
	if fd < 0 {
		return
	}
	if fd >= len(all.bySocket) {
		all.bySocket = append(all.bySocket, make([]*flight, fd+1-len(all.bySocket))...)
	}
	all.bySocket[fd] = f
}

// spared returns an attempt to be used.
func (all *flights) spared() *flight {
	last := len(all.spare) - 1
	if last < 0 {
		return new(flight)
	}
	f := all.spare[last]
	all.spare = all.spare[:last]
	return f
}

// stepper returns the prober of a question's next attempt if it can be made in steps.
func (s *Set) stepper(q *question) probe.Stepper {
	stepper, ok := q.asker().(probe.Stepper)
	if !ok || s.flights.poller == nil && !s.openPoller() {
		return nil
	}
	return stepper
}

// openPoller is tried again at the next attempt if it fails: a lack of file descriptors
// passes.
func (s *Set) openPoller() bool {
	poller, err := poll.Open()
	switch {
	case err == nil && s.pollerFailed:
		s.log.Info("checks share a goroutine again")
	case err != nil && !s.pollerFailed:
		s.log.Warn("each check takes a goroutine of its own for now", "err", err)
	}
	if s.pollerFailed = err != nil; s.pollerFailed {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flights.poller = poller
	return true
}

// launch begins an attempt in steps.
func (s *Set) launch(q *question, stepper probe.Stepper) {
	f := s.flights.spared()
	*f = flight{question: q, begun: time.Now(), fd: -1}
	f.expiry.Value, q.flight = f, f
	s.guard(f, func() { f.steps = stepper.Start() })
	switch {
	case f.question == nil: // it panicked
	case f.steps == nil:
		s.forget(f)
		s.done.Go(func() { s.attempt(q) })
	default:
		s.step(f)
	}
}

// step goes on with an attempt.
func (s *Set) step(f *flight) {
	progress := probe.Waiting
	s.guard(f, func() { progress = f.steps.Step() })
	switch {
	case f.question == nil:
	case progress == probe.Done:
		s.land(f)
	case progress == probe.Long:
		if f.fd >= 0 {
			s.flights.poller.Remove(f.fd)
		}
		s.forget(f)
		s.done.Go(func() { s.attemptRest(f) })
	case s.flights.crowd:
		s.flights.fresh = append(s.flights.fresh, f)
	default:
		s.await(f)
	}
}

// settle looks a second time at the attempts that began together, and waits for those
// that still have to.
func (s *Set) settle() {
	s.flights.crowd = false
	for _, f := range s.flights.fresh {
		s.step(f)
	}
	clear(s.flights.fresh)
	s.flights.fresh = s.flights.fresh[:0]
}

// await has the poller watch the socket of an attempt, until its timeout. Most attempts
// that begin together end before, and need neither.
func (s *Set) await(f *flight) {
	if f.expiry.At().IsZero() {
		s.flights.expiries.Set(&f.expiry, f.begun.Add(f.question.cfg.Timeout))
	}
	fd, events, known := f.steps.Socket()
	if f.fd != fd {
		s.flights.put(f.fd, nil)
		f.fd = fd
		s.flights.put(fd, f)
	}
	if known {
		return
	}
	if err := s.flights.poller.Add(fd, events); err != nil { // it is no fault of the server
		s.abort(f, probe.Inconclusive(fmt.Errorf("wait for the answer: %w", err)))
	}
}

// land ends an attempt with its result.
func (s *Set) land(f *flight) {
	s.forget(f)
	weight, err := f.steps.Result()
	s.finish(f.question, f.begun, time.Now(), weight, err)
	*f = flight{}
	s.flights.spare = append(s.flights.spare, f)
}

// abort ends an attempt with an error that its steps do not know.
func (s *Set) abort(f *flight, err error) {
	q := f.question
	s.forget(f)
	f.question = nil
	f.close()
	s.finish(q, f.begun, time.Now(), nil, err)
}

// close closes the socket of an attempt, also after a panic.
func (f *flight) close() {
	defer func() { _ = recover() }() // a panic before this one has been logged
	if f.steps != nil {
		f.steps.Expire()
	}
}

// forget takes an attempt from the scheduler.
func (s *Set) forget(f *flight) {
	f.question.flight = nil
	s.flights.expiries.Remove(&f.expiry)
	s.flights.put(f.fd, nil)
}

// attemptRest makes in a goroutine what is left of an attempt.
func (s *Set) attemptRest(f *flight) {
	q := f.question
	ctx, cancel := context.WithDeadline(s.contextOf(q), f.begun.Add(q.cfg.Timeout))
	weight, err := s.guarded(q, func() (*probe.Weight, error) { return f.steps.Rest(ctx) })
	ended := time.Now()
	cancel()
	s.finish(q, f.begun, ended, weight, err)
}

// guard calls a step of an attempt. A panic ends the attempt as a failure, because a
// defect in one kind of check must not end the daemon.
func (s *Set) guard(f *flight, step func()) {
	defer func() {
		if p := recover(); p != nil {
			s.abort(f, s.panicked(f.question, p))
		}
	}()
	step()
}

func (s *Set) panicked(q *question, p any) error {
	s.log.Error("probe panicked", "check", q.cfg.ID, "panic", p, "stack", string(debug.Stack()))
	return fmt.Errorf("the probe panicked: %v", p)
}

// expire ends the attempts whose timeouts pass before a time. An answer that has come
// counts: this process may have been late to look, and the poller tells of some sockets
// at once only.
func (s *Set) expire(before time.Time) {
	for item := s.flights.expiries.Due(before); item != nil; item = s.flights.expiries.Due(before) {
		f := item.Value
		s.guard(f, func() {
			if f.steps.Step() != probe.Done {
				f.steps.Expire()
			}
		})
		if f.question != nil {
			s.land(f)
		}
	}
}

// endGone ends the attempts of questions without subjects.
func (s *Set) endGone() {
	s.mu.Lock()
	gone := s.gone
	s.gone = nil
	s.mu.Unlock()
	for _, q := range gone {
		if q.flight != nil {
			s.abort(q.flight, context.Canceled)
		}
	}
}

// waitForSockets waits until a socket is ready or it is time for something else, and
// goes on with the attempts that can.
func (s *Set) waitForSockets() {
	for _, fd := range s.flights.poller.Wait() {
		if f := s.flights.at(fd); f != nil {
			s.step(f)
		}
	}
	s.expire(time.Now())
}

// abandon ends all attempts without a result, which are those of questions without
// subjects, because the Set is closed.
func (s *Set) abandon() {
	s.endGone()
	if s.flights.poller != nil {
		_ = s.flights.poller.Close()
	}
}
