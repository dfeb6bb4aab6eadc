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
	// Result, if set, is called after each run, from several goroutines. It
	// must return soon: the subject's next script waits for it.
	Result func(Result)
	// Scripts returns the scripts for an event. Handle calls it; nil: there are none.
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

	killing context.Context // cancelled when what still runs must die at once
	kill    context.CancelCauseFunc

	mu       sync.Mutex
	subjects map[subjectKey]*subject
	ready    []*subject // have something pending and do not run
	running  int        // workers
	status   SinkStatus
	closing  bool
	hurry    bool          // Close has half its time left: nobody may hold up another
	idle     chan struct{} // not nil while Close waits; closed when nothing runs or waits
}

type subjectKey struct {
	kind Kind
	name string
}

// A subject is what one instance, group, service or server has to tell. The
// count of subjects is that of the configuration, and each holds one delivery
// of each kind of news.
type subject struct {
	key     subjectKey
	state   string      // last sent
	rival   string      // last sent of a rivalry, in this state
	rivals  []string    // addresses of the rivals that are there, in this state
	pending []*delivery // not yet begun, the newest last
	cancel  context.CancelCauseFunc
	running bool
	forget  bool
}

type delivery struct {
	call     call
	commands []Command
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

// Send runs commands for an event, one after the other, once those for the
// subject's earlier event have ended. It never waits. The only error is
// ErrClosed. Send does nothing if scripts are not told of such an event, or if
// the subject is in that state already. Without commands it only remembers the
// state. Moments are apart from states; see the package documentation.
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
	if s == nil {
		s = &subject{key: key}
		n.subjects[key] = s
	}
	s.forget = false
	if !s.news(&c) || len(commands) == 0 {
		return nil
	}
	if len(s.pending) == 0 && !s.running {
		n.ready = append(n.ready, s)
	}
	kind := momentOf(c.state)
	s.pending = slices.DeleteFunc(s.pending, func(d *delivery) bool {
		same := momentOf(d.call.state) == kind
		if same {
			n.status.Dropped++
			n.log.Warn("script is slow: skipped "+d.call.state,
				"type", c.kind, "name", c.Subject, "state", c.state)
		}
		return same
	})
	s.pending = append(s.pending, &delivery{c, commands})
	n.work()
	return nil
}

// news reports whether a state or moment is not what was sent before, and
// remembers it.
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

// rivalNews is news for RIVAL and RIVAL_GONE. Of several rivals, only the coming of
// the first and the going of the last are news.
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

// Forget drops what is remembered of a subject that is configured no more: if it
// comes back, its first state is news. Its scripts that run or wait are let end.
func (n *Notifier) Forget(kind Kind, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.subjects[subjectKey{kind, name}]; s != nil {
		s.state, s.rival, s.rivals, s.forget = "", "", nil, true
		n.drop(s)
	}
}

// drop lets go of s if it is to be forgotten and has nothing more to do. n.mu is held.
func (n *Notifier) drop(s *subject) {
	if s.forget && !s.running && len(s.pending) == 0 {
		delete(n.subjects, s.key)
	}
}

// work starts as many workers as there is work and room for. n.mu is held.
func (n *Notifier) work() {
	for waiting := len(n.ready); waiting > 0 && (n.running < n.parallel || n.hurry); waiting-- {
		n.running++
		go n.worker()
	}
}

// worker serves ready subjects until there are none.
func (n *Notifier) worker() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.ready) > 0 {
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

// serve runs what has been pending longest for s. n.mu is held, but not while scripts run.
func (n *Notifier) serve(s *subject) {
	d := s.pending[0]
	ctx, cancel := context.WithCancelCause(n.killing)
	defer cancel(nil)
	s.pending, s.running, s.cancel = s.pending[1:], true, cancel
	n.mu.Unlock()
	for _, command := range d.commands {
		n.deliver(ctx, &d.call, command)
	}
	n.mu.Lock()
	s.running, s.cancel = false, nil
	if len(s.pending) > 0 {
		n.ready = append(n.ready, s)
	}
	n.drop(s)
}

func (n *Notifier) deliver(ctx context.Context, c *call, command Command) {
	var result Result
	if ctx.Err() != nil {
		result = Result{Subject: c.Subject, State: c.state, Command: command, ExitCode: -1, Err: fmt.Errorf("not run: %w", context.Cause(ctx))}
	} else {
		result = n.run(ctx, c, command)
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
	n.status.LastError, n.status.LastErrorAt = err.Error(), now
	if n.status.FailingSince.IsZero() {
		n.status.FailingSince = now
	}
}

// Status returns how it goes with the scripts: Delivered counts those that ended
// well, Dropped the events that were over before their script could run.
func (n *Notifier) Status() SinkStatus {
	n.mu.Lock()
	defer n.mu.Unlock()
	st := n.status
	for _, s := range n.subjects {
		st.Queued += len(s.pending)
		if s.running {
			st.Queued++
		}
	}
	return st
}

// Close takes no more events and returns when every script, running or waiting,
// has ended. It takes as long as ctx allows. At half of the time until ctx's
// deadline, scripts that hold up a later state of their subject are terminated,
// and what waits starts at once: the last state, mostly STOP, is the one that
// must be told. When ctx is done, what still runs is killed, and the error says
// how much was not told or killed. What cannot be killed is not waited for. A second Close returns ErrClosed.
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
			case <-n.after(n.grace): // they wait in the kernel, as for a dead file server
				err = fmt.Errorf("%w, and were not killed in %v", err, n.grace)
			}
			return err
		}
	}
}

// Wait returns when no script runs or waits, or with ctx's error when that
// takes longer than ctx allows.
func (n *Notifier) Wait(ctx context.Context) error {
	n.mu.Lock()
	if n.running == 0 {
		n.mu.Unlock()
		return nil
	}
	if n.idle == nil {
		n.idle = make(chan struct{})
	}
	idle := n.idle
	n.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for %d subjects' scripts: %w", n.unfinished(), context.Cause(ctx))
	}
}

// hasten ends whatever keeps another from running.
func (n *Notifier) hasten() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hurry = true
	for _, s := range n.subjects {
		if s.running && len(s.pending) > 0 {
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
		if s.running || len(s.pending) > 0 {
			count++
		}
	}
	return count
}
