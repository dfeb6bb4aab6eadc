package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/cmd/internal/event"
)

// Options configure a Notifier.
type Options struct {
	Director string // HOLDFAST_DIRECTOR
	Log      *slog.Logger
	// Parallel is how many scripts run at a time; 0 means 16.
	Parallel int
	// Grace is the time between SIGTERM and SIGKILL; 0 means 2 s.
	Grace time.Duration
	// Result, if not nil, is called after each run, from several goroutines. It
	// must return soon, because the subject's next script waits for it.
	Result func(Result)
	// Scripts returns the scripts for an event. Handle calls it. If it is nil,
	// Handle runs no scripts.
	Scripts func(*event.Event) Scripts
}

// A Notifier runs scripts. Its methods may be called from any goroutine.
type Notifier struct {
	director atomic.Value // string
	log      *slog.Logger
	parallel int
	grace    time.Duration
	result   func(Result)
	scripts  func(*event.Event) Scripts
	after    func(time.Duration) <-chan time.Time // time.After, but in tests

	killing context.Context // cancelled to kill all running scripts at once
	kill    context.CancelCauseFunc

	mu       sync.Mutex
	subjects map[subjectKey]*subject
	ready    []*subject // with a pending delivery and no running script
	running  int        // workers
	status   SinkStatus
	closing  bool
	hurry    bool          // Close has used half its time: run all that waits at once
	idle     chan struct{} // not nil while Close or Pause waits; closed when there is no worker
	paused   bool          // nothing is started
	pause    chan struct{} // closed while paused
}

type subjectKey struct {
	kind Kind
	name string
}

// A subject holds the last state and the pending deliveries of one instance,
// group, service or server. It has at most one pending delivery per moment, so
// memory is bounded by the size of the configuration.
type subject struct {
	key     subjectKey
	state   string      // last sent
	rival   string      // last sent of a rivalry, in this state
	rivals  []string    // addresses of the rivals that are there, in this state
	pending []*delivery // that wait, the newest last; the first may have begun before a pause
	current *delivery   // that a worker is at; nil: none
	cancel  context.CancelCauseFunc
	forget  bool
}

// A delivery is the call of a subject's commands. What is done of it belongs to its worker,
// under the lock of the notifier.
type delivery struct {
	call     call
	commands []Command // that have not ended yet
	begun    bool      // no later event replaces it
	starting bool      // the first command, at this moment
	run      *run      // of the first command; nil: it was not started
	lost     error     // why the result of the first command will not be known
}

// ErrClosed is returned by Send after Close.
var ErrClosed = errors.New("the notifier is closed")

// New returns a Notifier. Close it.
func New(o Options) *Notifier {
	killing, kill := context.WithCancelCause(context.Background())
	n := &Notifier{
		log:      o.Log,
		parallel: cmp.Or(o.Parallel, 16),
		grace:    cmp.Or(o.Grace, 2*time.Second),
		result:   o.Result,
		scripts:  o.Scripts,
		after:    time.After,
		killing:  killing,
		kill:     kill,
		pause:    make(chan struct{}),
		subjects: make(map[subjectKey]*subject),
	}
	n.Rename(o.Director)
	return n
}

// Rename changes HOLDFAST_DIRECTOR for the scripts that start from now on.
func (n *Notifier) Rename(director string) { n.director.Store(director) }

// Handle runs the scripts that Options.Scripts has for an event, as Send does.
func (n *Notifier) Handle(e *event.Event) {
	c, ok := callOf(e)
	if !ok || n.scripts == nil {
		return
	}
	scripts := n.scripts(e)
	if err := n.send(c, scripts.For(c.state)); err != nil {
		n.log.Warn("script not run", "subject", e.Subject, "state", c.state, "err", err)
	}
}

// Send queues commands for an event and returns at once. The commands run one
// after the other, after those for the subject's earlier event. The only error is
// ErrClosed. Send does nothing if the event is of a kind that has no scripts, or
// if the subject is already in that state. Without commands it only remembers the
// state. The package documentation says how moments differ from states.
func (n *Notifier) Send(e event.Event, commands ...Command) error {
	c, ok := callOf(&e)
	if !ok {
		return nil
	}
	return n.send(c, commands)
}

func (n *Notifier) send(c call, commands []Command) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closing {
		return ErrClosed
	}
	key := subjectKey{c.kind, c.Subject}
	s := n.subjects[key]
	switch {
	case s != nil:
	case c.kind == Server && len(commands) == 0:
		// Each event of a server is a change, so it is news without a state to compare
		// with. There may be ten thousand servers, and few have commands.
		return nil
	default:
		s = &subject{key: key}
		n.subjects[key] = s
	}
	s.forget = false
	if !s.news(&c) || len(commands) == 0 {
		return nil
	}
	if len(s.pending) == 0 && s.current == nil {
		n.ready = append(n.ready, s)
	}
	kind := momentOf(c.state)
	s.pending = slices.DeleteFunc(s.pending, func(d *delivery) bool {
		same := momentOf(d.call.state) == kind && !d.begun
		if same {
			n.status.Dropped++
			n.log.Warn("scripts are not called for a state that is over: skipped "+d.call.state,
				"type", c.kind, "name", c.Subject, "state", c.state)
		}
		return same
	})
	s.pending = append(s.pending, &delivery{call: c, commands: commands})
	n.work()
	return nil
}

// news reports whether a state or moment differs from the last one that was sent,
// and remembers it.
func (s *subject) news(c *call) bool {
	switch momentOf(c.state) {
	case transition:
		news := s.state != c.state
		if news {
			s.rival, s.rivals = "", nil
		}
		s.state = c.state
		return news
	case rivalry:
		return s.rivalNews(c.state, c.Detail["address"])
	}
	return true
}

// rivalNews is news for RIVAL and RIVAL_GONE. Of several rivals, only the first
// that appears and the last that disappears are news.
func (s *subject) rivalNews(state, address string) bool {
	s.rivals = slices.DeleteFunc(s.rivals, func(a string) bool { return a == address })
	alone := len(s.rivals) == 0
	if state == Rival {
		s.rivals = append(s.rivals, address)
	}
	news := alone && s.rival != state
	if alone {
		s.rival = state
	}
	return news
}

// Forget drops the state of a subject that was removed from the configuration. If
// the subject comes back, its first state is news. Its running and waiting scripts
// still run to their end.
func (n *Notifier) Forget(kind Kind, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.subjects[subjectKey{kind, name}]; s != nil {
		n.forget(s)
	}
}

// forget drops the state of s. n.mu is held.
func (n *Notifier) forget(s *subject) {
	s.state, s.rival, s.rivals, s.forget = "", "", nil, true
	n.drop(s)
}

// drop removes s if it is to be forgotten and has no script left. n.mu is held.
func (n *Notifier) drop(s *subject) {
	if s.forget && s.current == nil && len(s.pending) == 0 {
		delete(n.subjects, s.key)
	}
}

// work starts a worker for each ready subject, up to n.parallel workers. n.mu is held.
func (n *Notifier) work() {
	for waiting := len(n.ready); !n.paused && waiting > 0 && (n.running < n.parallel || n.hurry); waiting-- {
		n.running++
		go n.worker()
	}
}

// worker serves ready subjects until there are none, or the notifier pauses.
func (n *Notifier) worker() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.ready) > 0 && !n.paused {
		s := n.ready[0]
		n.ready = n.ready[1:]
		n.serve(s)
	}
	n.running--
	if n.running == 0 && n.idle != nil {
		close(n.idle)
		n.idle = nil
	}
}

// serve runs the oldest pending delivery of s. If the notifier pauses before its end, it is
// pending again. n.mu is held, but not while scripts run.
func (n *Notifier) serve(s *subject) {
	d := s.pending[0]
	ctx, cancel := context.WithCancelCause(n.killing)
	defer cancel(nil)
	s.pending, s.current, s.cancel = s.pending[1:], d, cancel
	d.begun = true
	n.mu.Unlock()
	for len(d.commands) > 0 && n.deliver(ctx, d) {
		n.mu.Lock()
		d.commands, d.run, d.lost = d.commands[1:], nil, nil
		n.mu.Unlock()
	}
	n.mu.Lock()
	s.current, s.cancel = nil, nil
	switch {
	case len(d.commands) > 0:
		s.pending = slices.Insert(s.pending, 0, d)
		n.ready = slices.Insert(n.ready, 0, s) // its script may run
	case len(s.pending) > 0:
		n.ready = append(n.ready, s)
	}
	n.drop(s)
}

// deliver runs the first command of a delivery. It reports false if the notifier pauses
// before that has ended.
func (n *Notifier) deliver(ctx context.Context, d *delivery) bool {
	c, command := &d.call, d.commands[0]
	var result Result
	if ctx.Err() != nil && d.run == nil {
		result = Result{Subject: c.Subject, State: c.state, Command: command, ExitCode: -1, Err: fmt.Errorf("not run: %w", context.Cause(ctx))}
	} else {
		var ended bool
		if result, ended = n.attempt(ctx, d); !ended {
			return false
		}
	}
	log := n.log.With("type", c.kind, "name", c.Subject, "state", c.state, "took", result.Took)
	if len(command.Argv) > 0 {
		log = log.With("script", command.Argv[0])
	}
	if result.Err != nil {
		log.Error("script failed", "err", result.Err, "exit_code", result.ExitCode)
	} else {
		log.Info("script done")
	}
	n.count(result.Err)
	if n.result != nil {
		n.result(result)
	}
	return true
}

// count adds one run to the status.
func (n *Notifier) count(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	if err == nil {
		n.status.Delivered++
		n.status.LastDelivery, n.status.FailingSince = now, time.Time{}
		return
	}
	n.status.Failed++
	n.status.LastError, n.status.LastErrorAt = err.Error(), now
	if n.status.FailingSince.IsZero() {
		n.status.FailingSince = now
	}
}

// Status returns the counters of the scripts. Delivered counts scripts that exited
// with 0, Dropped the states and moments that were replaced before their script ran.
func (n *Notifier) Status() SinkStatus {
	n.mu.Lock()
	defer n.mu.Unlock()
	st := n.status
	for _, s := range n.subjects {
		st.Queued += len(s.pending)
		if s.current != nil {
			st.Queued++
		}
	}
	return st
}

// Close refuses further events and returns when every running and waiting script
// has ended. At half of the time until ctx's deadline it terminates scripts that
// delay a later state of their subject, and starts all waiting scripts at once:
// the last state, usually STOP, matters most. When ctx is done, Close kills the
// running scripts and returns an error with the number of subjects whose scripts
// had not ended. It does not wait for processes that cannot be killed. A second
// Close returns ErrClosed.
func (n *Notifier) Close(ctx context.Context) error {
	n.mu.Lock()
	if n.closing {
		n.mu.Unlock()
		return ErrClosed
	}
	n.closing = true
	if n.running == 0 {
		n.mu.Unlock()
		n.kill(nil)
		return nil
	}
	if n.idle == nil {
		n.idle = make(chan struct{})
	}
	idle := n.idle
	n.mu.Unlock()

	var half <-chan time.Time
	if deadline, ok := ctx.Deadline(); ok {
		half = n.after(time.Until(deadline) / 2)
	}
	for {
		select {
		case <-idle:
			n.kill(nil)
			return nil
		case <-half:
			n.hasten()
			half = nil
		case <-ctx.Done():
			left := n.unfinished()
			n.kill(errKilled)
			err := fmt.Errorf("notify scripts of %d subjects did not end in time: %w", left, context.Cause(ctx))
			select {
			case <-idle:
			case <-n.after(n.grace): // blocked in the kernel, for example on a dead file server
				err = fmt.Errorf("%w, and were not killed in %v", err, n.grace)
			}
			return err
		}
	}
}

// hasten terminates scripts that delay a later state of their subject, and starts
// all waiting scripts without regard to n.parallel.
func (n *Notifier) hasten() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hurry = true
	for _, s := range n.subjects {
		if s.current != nil && len(s.pending) > 0 {
			s.cancel(errHurry)
		}
	}
	n.work()
}

func (n *Notifier) unfinished() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for _, s := range n.subjects {
		if s.current != nil || len(s.pending) > 0 {
			count++
		}
	}
	return count
}
