package notify

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"holdfast/cmd/internal/event"
)

// A Transport is a way out of the house.
type Transport interface {
	// Deliver delivers events, all or the first of them, and returns how many
	// need not be delivered again. After an error the others are tried again; of
	// those that a Refused counts, none is. Without events Deliver prepares for
	// them, and ends what another binary has begun. It returns soon after ctx ends.
	Deliver(ctx context.Context, events []event.Event) (int, error)
	// Close frees what Deliver holds. No Deliver follows.
	Close()
}

// Refused says that the other side understood and does not want what comes next:
// to try it again would be of no use.
type Refused struct {
	Err   error
	Count int // of the events; 0 is one
}

func (r *Refused) Error() string { return r.Err.Error() }
func (r *Refused) Unwrap() error { return r.Err }

// SinkOptions say how a Sink delivers.
type SinkOptions struct {
	Transport Transport
	Queue     int // events that wait at most; the oldest give way
	// Gather is how long the first event waits for others to go with it.
	Gather             time.Duration
	RetryMin, RetryMax time.Duration // the pause after a failure doubles from one to the other
	GiveUp             time.Duration // age at which an event that failed is dropped; 0: none
}

// A SinkStatus is how a sink is.
type SinkStatus struct {
	Queued       int       // events that wait or are under way
	Delivered    uint64    // events
	Failed       uint64    // deliveries
	Dropped      uint64    // events: too many, too old, or refused
	LastDelivery time.Time // zero: none yet
	LastError    string
	LastErrorAt  time.Time
	FailingSince time.Time // zero: the last delivery was well, or none was tried
}

// A Sink delivers events in order, in a goroutine of its own, and never makes
// anybody wait: what it cannot deliver it holds, up to a bound. Its methods may
// be called from any goroutine.
type Sink struct {
	name string
	log  *slog.Logger
	wake chan struct{}
	done chan struct{}
	life context.Context // of all deliveries
	end  context.CancelCauseFunc

	mu      sync.Mutex
	opts    *SinkOptions
	queue   []event.Event
	sending int // taken from the queue and not done with
	since   time.Time
	status  SinkStatus
	closing bool
	resting bool               // with closing: what waits is kept
	cancel  context.CancelFunc // ends the delivery under way; nil without one
	full    bool               // the log has said that the queue is
	unready bool               // the transport could not prepare
}

// NewSink returns a running sink. Close it.
func NewSink(name string, log *slog.Logger, o SinkOptions) *Sink {
	return ContinueSink(name, log, o, nil)
}

// ContinueSink is NewSink with what a sink has left; nil is nothing.
func ContinueSink(name string, log *slog.Logger, o SinkOptions, left *LeftSink) *Sink {
	s := &Sink{name: name, log: log.With("sink", name), wake: make(chan struct{}, 1), done: make(chan struct{}), opts: &o}
	if left != nil {
		s.takeOver(left)
	}
	s.life, s.end = context.WithCancelCause(context.Background())
	go s.run()
	return s
}

// Reconfigure replaces the options. What waits is delivered by the new ones.
func (s *Sink) Reconfigure(o SinkOptions) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts = &o
	if s.cancel != nil {
		s.cancel()
	}
	s.rouse()
}

// Send has an event delivered. After Close it does nothing.
func (s *Sink) Send(e event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing && !s.resting {
		return
	}
	if len(s.queue) == 0 && s.sending == 0 {
		s.since = time.Now()
	}
	s.queue = append(s.queue, e)
	s.trim()
	s.rouse()
}

// SendStates has the present states delivered, after the events that wait. They
// replace earlier states that still wait, and take no room from events.
func (s *Sink) SendStates(states []event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing && !s.resting || len(states) == 0 {
		return
	}
	if len(s.queue) == 0 && s.sending == 0 {
		s.since = time.Now()
	}
	s.queue = append(slices.DeleteFunc(slices.Clone(s.queue), isSnapshot), states...)
	s.rouse()
}

func isSnapshot(e event.Event) bool { return e.Snapshot }

// Status returns how the sink is.
func (s *Sink) Status() SinkStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.Queued = len(s.queue) + s.sending
	return st
}

// Close delivers what waits, unless that failed already, and ends the sink. When
// ctx ends before, what is left is dropped.
func (s *Sink) Close(ctx context.Context) {
	s.mu.Lock()
	s.closing = true
	s.rouse()
	s.mu.Unlock()
	defer context.AfterFunc(ctx, func() { s.end(context.Cause(ctx)) })()
	<-s.done
	s.end(nil)
}

func (s *Sink) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// trim drops the oldest of too many events. States do not count: there is one of
// each subject at most. s.mu is held.
func (s *Sink) trim() {
	over := len(s.queue) - s.opts.Queue
	if over <= 0 {
		return
	}
	for i := range s.queue {
		if s.queue[i].Snapshot {
			over--
		}
	}
	if over <= 0 {
		return
	}
	kept := make([]event.Event, 0, len(s.queue)-over)
	left := over
	for i := range s.queue {
		if left > 0 && !s.queue[i].Snapshot {
			left--
			continue
		}
		kept = append(kept, s.queue[i])
	}
	s.queue = kept
	s.status.Dropped += uint64(over)
	if !s.full {
		s.full = true
		s.log.Warn("too many notifications wait: the oldest are dropped", "limit", s.opts.Queue)
	}
}

// drop drops the oldest. s.mu is held.
func (s *Sink) drop(n int) {
	s.queue = s.queue[n:]
	s.status.Dropped += uint64(n)
}

// run delivers until the sink is closed.
func (s *Sink) run() {
	defer close(s.done)
	var opts *SinkOptions
	var pause time.Duration // after the latest failure; 0: there was none
	var failed time.Time
	for {
		s.mu.Lock()
		if opts != s.opts {
			former := opts
			opts, pause, failed = s.opts, 0, time.Time{}
			s.mu.Unlock()
			if former != nil {
				former.Transport.Close() // which may take long
			}
			if !s.deliver(opts, nil) {
				pause, failed = opts.RetryMin, time.Now()
			}
			continue
		}
		var wait time.Duration
		switch {
		case s.closing && (len(s.queue) == 0 || pause > 0 || s.life.Err() != nil):
			if left := len(s.queue); left > 0 && !s.resting {
				s.drop(left)
				s.log.Warn("notifications are dropped: the sink ends", "count", left, "err", s.status.LastError)
			}
			s.mu.Unlock()
			opts.Transport.Close()
			return
		case s.closing:
		case len(s.queue) == 0 && s.unready: // to be there before there is news
			wait = time.Until(failed.Add(pause))
		case len(s.queue) == 0:
			wait = time.Hour
		default:
			wait = max(time.Until(s.since.Add(opts.Gather)), time.Until(failed.Add(pause)))
		}
		if wait > 0 {
			s.mu.Unlock()
			s.sleep(wait)
			continue
		}
		batch := s.queue
		s.queue, s.sending = nil, len(batch)
		s.mu.Unlock()
		if s.deliver(opts, batch) {
			pause = 0
			continue
		}
		failed = time.Now()
		pause = min(max(2*pause, opts.RetryMin), opts.RetryMax)
	}
}

// sleep returns when there is news, or after a while.
func (s *Sink) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.wake:
	}
}

// deliver delivers a batch, or prepares for one, and puts back what is left. It
// returns whether it may go on at once.
func (s *Sink) deliver(opts *SinkOptions, batch []event.Event) bool {
	ctx, cancel := context.WithCancel(s.life)
	defer cancel()
	s.mu.Lock()
	s.cancel = cancel
	s.mu.Unlock()
	n, err := opts.Transport.Deliver(ctx, batch)

	s.mu.Lock()
	defer s.mu.Unlock()
	interrupted := ctx.Err() != nil
	s.cancel, s.sending = nil, 0
	now := time.Now()
	s.queue = append(batch[n:len(batch):len(batch)], s.queue...)
	s.status.Delivered += uint64(n)
	if n > 0 {
		s.status.LastDelivery = now
	}
	if refused := (*Refused)(nil); errors.As(err, &refused) && (n < len(batch) || len(batch) == 0) {
		s.drop(min(max(refused.Count, 1), len(batch)-n))
		s.noteError(now, err)
		if s.status.FailingSince.IsZero() {
			s.status.FailingSince = now
		}
		s.log.Error("a notification is refused", "err", err)
		return true
	}
	if len(batch) == 0 && err == nil && s.unready {
		n = 1 // as good as delivered: what kept it from that is over
	}
	s.note(now, n, err, interrupted)
	s.unready = err != nil && !interrupted && len(batch) == 0
	if err != nil && opts.GiveUp > 0 {
		s.giveUp(now.Add(-opts.GiveUp))
	}
	s.since = now // what came meanwhile is gathered anew
	s.trim()
	return err == nil || interrupted && !s.closing
}

// note remembers how a delivery went, and logs when a streak of failures begins
// and when it ends. s.mu is held.
func (s *Sink) note(now time.Time, n int, err error, interrupted bool) {
	switch {
	case interrupted:
	case err != nil:
		s.noteError(now, err)
		if s.status.FailingSince.IsZero() {
			s.status.FailingSince = now
			s.log.Error("notifications are not delivered; it is tried again", "err", err, "waiting", len(s.queue))
		}
	case n > 0:
		if since := s.status.FailingSince; !since.IsZero() {
			s.log.Info("notifications are delivered again", "after", now.Sub(since).Round(time.Millisecond), "dropped", s.status.Dropped)
		}
		s.status.FailingSince, s.full = time.Time{}, false
	}
}

func (s *Sink) noteError(now time.Time, err error) {
	s.status.Failed++
	s.status.LastError, s.status.LastErrorAt = err.Error(), now
}

// giveUp drops what is older than a time. s.mu is held.
func (s *Sink) giveUp(before time.Time) {
	old := 0
	for old < len(s.queue) && s.queue[old].At.Before(before) {
		old++
	}
	if old > 0 {
		s.drop(old)
		s.log.Error("notifications are given up", "count", old)
	}
}
