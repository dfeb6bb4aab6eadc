//go:build dbus

package dbus

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/reconnect"
	"holdfast/cmd/internal/status"
)

// Built reports whether this binary supports D-Bus.
const Built = true

const (
	// pauseMin, pauseMax and steady are the pauses of the reconnect.Loop.
	pauseMin = 500 * time.Millisecond
	pauseMax = 30 * time.Second
	steady   = time.Minute
	// queueMax limits the number of queued signals. A full queue drops its oldest
	// signals. The property State is correct nevertheless.
	queueMax = 8192
)

// A link is a connection to the bus that owns the service's name.
type link interface {
	emit(*signal) error
	lost() <-chan struct{}
	// leave closes the connection. It first waits until running calls are answered,
	// but no longer than until ctx ends.
	leave(ctx context.Context)
}

// A signal is a D-Bus signal that waits to be emitted.
type signal struct {
	path, name string
	state      State // used by statusChange and changedState
}

// A dialer connects to the bus and requests the service's name. ctx limits the
// attempt. life limits the link.
type dialer func(life, ctx context.Context, s *Service, o Options) (link, error)

// Names of signals.
const (
	started      = "VrrpStarted"
	reloaded     = "VrrpReloaded"
	stopped      = "VrrpStopped"
	statusChange = "VrrpStatusChange"
	changedState = "PropertiesChanged"
)

// A Service presents the virtual routers on the bus. It manages its connection in
// its own goroutine. Its methods may be called from any goroutine. Only Close
// blocks.
type Service struct {
	log      *slog.Logger
	director Director
	dial     dialer
	stop     context.CancelFunc // ends the service immediately
	ending   context.Context    // when done, run emits the queued signals and ends
	end      context.CancelFunc // cancels ending
	done     chan struct{}
	wake     chan struct{} // signals are queued
	work     chan struct{} // holds a token while a method runs
	stats    baseline      // only for the holder of the token

	mu        sync.Mutex
	opts      Options
	drop      context.CancelFunc // ends the work with the present options
	tree      tree
	queue     []signal
	announced bool // VrrpStarted was queued
	status    status.DBus
}

// New starts a Service and returns it. The caller must close it.
func New(log *slog.Logger, d Director, o Options) *Service { return newService(log, d, o, dial) }

func newService(log *slog.Logger, d Director, o Options, dial dialer) *Service {
	life, stop := context.WithCancel(context.Background())
	ending, end := context.WithCancel(life)
	s := &Service{
		log: log, director: d, dial: dial, stop: stop, opts: o, tree: newTree(),
		ending: ending, end: end, done: make(chan struct{}), wake: make(chan struct{}, 1), work: make(chan struct{}, 1),
		status: status.DBus{Since: time.Now()},
	}
	go s.run(life)
	return s
}

// Configure replaces the options. If they differ, the service reconnects.
func (s *Service) Configure(o Options) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o == s.opts {
		return
	}
	s.opts = o
	if s.drop != nil {
		s.drop()
	}
}

// Add puts instances on the bus and emits VrrpStatusChange for each. If another
// instance already has the path of one, Add logs a warning and skips it.
func (s *Service) Add(list ...Instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range list {
		if has := s.tree.add(i); has != nil {
			s.log.Warn("not on D-Bus: another virtual router has the path", "vrrp", i.Name, "path", i.path(), "other", has.Name)
			continue
		}
		s.send(signal{i.path(), statusChange, i.State})
	}
}

// Remove removes an instance from the bus.
func (s *Service) Remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tree.remove(name)
}

// Handle emits the signals for an event in which an instance changes state. It
// ignores other events.
func (s *Service) Handle(e *event.Event) {
	if state, ok := eventStates[e.To]; ok && e.Kind == event.KindInstance && e.Instance != nil {
		s.Change(e.Subject, state)
	}
}

// eventStates maps the new state in an instance's event to a State. An instance
// that changes to INIT was stopped.
var eventStates = map[string]State{event.Init: Stop, event.Backup: Backup, event.Master: Master, event.Fault: Fault}

// Change sets the state of an instance. It emits VrrpStatusChange and
// PropertiesChanged. It ignores an unknown instance.
func (s *Service) Change(name string, to State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := s.tree.paths[name]
	i := s.tree.byPath[path]
	if i == nil {
		return
	}
	i.State = to
	s.send(signal{path, statusChange, to}, signal{path, changedState, to})
}

// Reloaded emits VrrpReloaded: a new configuration is in effect.
func (s *Service) Reloaded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send(signal{path: routerPath, name: reloaded})
}

// Stopped emits VrrpStopped: the director has stopped.
func (s *Service) Stopped() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send(signal{path: routerPath, name: stopped})
}

// send queues signals. Without a connection to the bus it discards them. The
// caller holds the lock.
func (s *Service) send(list ...signal) {
	if !s.status.Connected {
		return
	}
	s.queue = append(s.queue, list...)
	if over := len(s.queue) - queueMax; over > 0 {
		s.queue = append(s.queue[:0], s.queue[over:]...)
		s.status.SignalsDropped += uint64(over)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Close emits the queued signals, disconnects from the bus and ends the service.
// When ctx ends, it skips what remains and ends the service immediately.
func (s *Service) Close(ctx context.Context) {
	s.end()
	defer context.AfterFunc(ctx, s.stop)()
	<-s.done
}

// Status reports the state of the connection and the signal counters.
func (s *Service) Status() status.DBus {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.Bus, st.Name = s.opts.Bus, s.opts.Name
	return st
}

// run keeps a link to the bus in the options until the service ends. It applies
// changed options.
func (s *Service) run(life context.Context) {
	defer close(s.done)
	defer s.stop()
	for s.ending.Err() == nil {
		ctx, drop := context.WithCancel(life)
		s.mu.Lock()
		o := s.opts
		s.drop = drop
		s.mu.Unlock()
		s.keep(life, ctx, o)
		drop()
	}
}

// keep maintains a link to one bus. It reconnects until ctx or the service ends.
func (s *Service) keep(life, ctx context.Context, o Options) {
	pausing, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ending, cancel)()
	loop := reconnect.Loop{
		Log:       s.log.With("bus", o.Bus, "name", o.Name),
		Connected: "on D-Bus",
		Lost:      "not on D-Bus; it is tried again",
		Min:       pauseMin, Max: pauseMax, Steady: steady,
	}
	loop.Run(pausing, func(up func()) error {
		err := s.connect(life, ctx, o, up)
		s.disconnected(ctx, err)
		return err
	})
}

// connect opens one link to the bus and emits signals on it. It calls up when the
// link owns the service's name. The error says why the link failed or ended. It is
// nil if the service ends.
func (s *Service) connect(life, ctx context.Context, o Options, up func()) error {
	l, err := s.dial(life, ctx, s, o)
	if err != nil {
		return err
	}
	defer l.leave(life)
	s.connected()
	up()
	for {
		if err := s.emitQueued(l); err != nil {
			return err
		}
		select {
		case <-s.wake:
		case <-l.lost():
			return errLost
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ending.Done():
			_ = s.emitQueued(l)
			return nil
		}
	}
}

// emitQueued emits the queued signals.
func (s *Service) emitQueued(l link) error {
	s.mu.Lock()
	queue := s.queue
	s.queue = nil
	s.mu.Unlock()
	for i := range queue {
		if err := l.emit(&queue[i]); err != nil {
			return err
		}
		s.mu.Lock()
		s.status.SignalsSent++
		s.mu.Unlock()
	}
	return nil
}

// connected records the connection and queues VrrpStatusChange for every instance,
// as keepalived does. The first time it also queues VrrpStarted.
func (s *Service) connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Connected, s.status.Since, s.status.Error = true, time.Now(), ""
	s.queue = nil
	if !s.announced {
		s.announced = true
		s.send(signal{path: routerPath, name: started})
	}
	for _, path := range s.tree.sorted() {
		s.send(signal{path, statusChange, s.tree.byPath[path].State})
	}
}

func (s *Service) disconnected(ctx context.Context, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status.Connected {
		s.status.Connected, s.status.Since = false, time.Now()
	}
	s.status.Error = ""
	if err != nil && ctx.Err() == nil {
		s.status.Error = err.Error()
	}
	s.queue = nil
}
