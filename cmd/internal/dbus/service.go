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

// Built tells whether this binary speaks D-Bus.
const Built = true

const (
	// pauseMin, pauseMax and steady are the pauses of the reconnect.Loop.
	pauseMin = 500 * time.Millisecond
	pauseMax = 30 * time.Second
	steady   = time.Minute
	// queueMax is how many signals wait at most; the oldest give way. The
	// property State tells the truth all the same.
	queueMax = 8192
)

// A link is a connection to the bus that has the service's name.
type link interface {
	emit(*signal) error
	lost() <-chan struct{}
	// leave ends the connection, after the answers to calls under way if they
	// come before ctx ends.
	leave(ctx context.Context)
}

// A signal is what everybody on the bus hears.
type signal struct {
	path, name string
	state      State // with statusChange and changedState
}

// A dialer connects to the bus and takes the service's name there. ctx bounds
// that, life the link.
type dialer func(life, ctx context.Context, s *Service, o Options) (link, error)

// Names of signals.
const (
	started      = "VrrpStarted"
	reloaded     = "VrrpReloaded"
	stopped      = "VrrpStopped"
	statusChange = "VrrpStatusChange"
	changedState = "PropertiesChanged"
)

// A Service is the service on the bus. It keeps the connection in a goroutine of
// its own. Its methods may be called from any goroutine, and none but Close
// waits for anything.
type Service struct {
	log      *slog.Logger
	director Director
	dial     dialer
	stop     context.CancelFunc // ends everything at once
	ending   context.Context    // when it ends, emit what is queued and end
	end      context.CancelFunc // ends ending
	done     chan struct{}
	wake     chan struct{} // signals wait
	work     chan struct{} // holds a token while a method is at work
	stats    baseline      // belongs to who holds the token

	mu        sync.Mutex
	opts      Options
	drop      context.CancelFunc // ends what goes on with the options before these
	tree      tree
	queue     []signal
	announced bool // VrrpStarted was queued
	status    status.DBus
}

// New returns a running Service. Close it.
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

// Configure replaces the options.
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

// Add shows instances.
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

// Remove forgets an instance.
func (s *Service) Remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tree.remove(name)
}

// Handle tells of an instance's change of state.
func (s *Service) Handle(e *event.Event) {
	if state, ok := eventStates[e.To]; ok && e.Kind == event.KindInstance && e.Instance != nil {
		s.Change(e.Subject, state)
	}
}

// eventStates are the states of an instance's event. One that goes to INIT was
// stopped.
var eventStates = map[string]State{event.Init: Stop, event.Backup: Backup, event.Master: Master, event.Fault: Fault}

// Change tells of the state of an instance.
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

// Reloaded tells that another configuration is in force.
func (s *Service) Reloaded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send(signal{path: routerPath, name: reloaded})
}

// Stopped tells that the director has stopped.
func (s *Service) Stopped() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send(signal{path: routerPath, name: stopped})
}

// send queues signals, unless nobody could hear them. The caller holds the lock.
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

// Close says what is queued, leaves the bus and ends the service. When ctx ends
// it does not wait any longer.
func (s *Service) Close(ctx context.Context) {
	s.end()
	defer context.AfterFunc(ctx, s.stop)()
	<-s.done
}

// Status tells how the service is.
func (s *Service) Status() status.DBus {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.Bus, st.Name = s.opts.Bus, s.opts.Name
	return st
}

// run does what the options say, as they change, until the service ends.
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

// keep keeps a link to one bus until ctx ends or the service does.
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

// connect has one link to the bus. It calls up when the service has its name there,
// and returns why the link ended; nil if the service ends.
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

// emitQueued emits what is queued.
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

// connected tells everybody on the bus how things are, as keepalived does.
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
