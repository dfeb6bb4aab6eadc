package snmp

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"holdfast/cmd/internal/reconnect"
	"holdfast/cmd/internal/status"
)

const (
	// pauseMin, pauseMax and steady are the pauses of the reconnect.Loop.
	pauseMin = time.Second
	pauseMax = 30 * time.Second
	steady   = time.Minute
)

// Options are the settings that may change while an Agent runs.
type Options struct {
	AgentX           string // address of the master agent as written in the configuration
	Network, Address string // the same address for net.Dial
	Traps            bool   // send notifications
}

// A Source returns the daemon's status. The Agent uses only its parts on virtual
// routers. A Source must return when ctx ends.
type Source func(ctx context.Context) (*status.Status, error)

// An Agent is a sub-agent of the SNMP master agent. It manages its session in its
// own goroutine. Its methods may be called from any goroutine. Only Close blocks.
type Agent struct {
	log    *slog.Logger
	source Source
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	stop   context.CancelFunc
	done   chan struct{}
	wake   chan struct{} // traps are queued

	mu     sync.Mutex
	opts   Options
	end    context.CancelFunc // ends the work with the present options
	status status.SNMP
	traps  queue

	clock clock // of the latest master agent; only for the Agent's goroutine
}

// New starts an Agent and returns it. The caller must close it.
func New(log *slog.Logger, source Source, o Options) *Agent {
	dialer := net.Dialer{Timeout: answerTimeout}
	return newAgent(log, source, o, dialer.DialContext)
}

func newAgent(log *slog.Logger, source Source, o Options, dial func(context.Context, string, string) (net.Conn, error)) *Agent {
	ctx, stop := context.WithCancel(context.Background())
	a := &Agent{
		log: log, source: source, dial: dial, stop: stop, done: make(chan struct{}), wake: make(chan struct{}, 1), opts: o,
		status: status.SNMP{Since: time.Now()},
	}
	go a.run(ctx)
	return a
}

// Configure replaces the options. If they differ, the agent reconnects. Without
// Traps it drops the queued traps.
func (a *Agent) Configure(o Options) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if o == a.opts {
		return
	}
	a.opts = o
	if !o.Traps {
		a.traps.drop(len(a.traps.waiting))
	}
	if a.end != nil {
		a.end()
	}
}

// Close closes the session with the master agent and ends the Agent.
func (a *Agent) Close() {
	a.stop()
	<-a.done
}

// Status reports the state of the session and the counters of requests and traps.
func (a *Agent) Status() status.SNMP {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.status
	s.AgentX = a.opts.AgentX
	s.TrapsQueued, s.TrapsDropped = len(a.traps.waiting), a.traps.dropped
	return s
}

// run keeps a session with the master agent in the options until ctx ends. It
// applies changed options.
func (a *Agent) run(ctx context.Context) {
	defer close(a.done)
	for ctx.Err() == nil {
		sub, end := context.WithCancel(ctx)
		a.mu.Lock()
		o := a.opts
		a.end = end
		a.mu.Unlock()
		a.keep(sub, o)
		end()
	}
}

// keep maintains a session with one master agent. It reconnects until ctx ends.
func (a *Agent) keep(ctx context.Context, o Options) {
	loop := reconnect.Loop{
		Log:       a.log.With("agentx", o.AgentX),
		Connected: "connected to the SNMP master agent",
		Lost:      "no connection to the SNMP master agent; it is tried again",
		Min:       pauseMin, Max: pauseMax, Steady: steady,
	}
	loop.Run(ctx, func(up func()) error {
		err := a.connect(ctx, o, up)
		a.disconnected(ctx, err)
		return err
	})
}

// connect opens one session with the master agent and serves it. It calls up when
// the session is open. The error says why the session failed or ended. It is nil
// if an open session ends because ctx ends.
func (a *Agent) connect(ctx context.Context, o Options, up func()) error {
	conn, err := a.dial(ctx, o.Network, o.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	s := newSession(a, conn)
	defer close(s.over)
	if err := s.open(ctx); err != nil {
		return err
	}
	a.connected()
	up()
	return s.serve(ctx)
}

func (a *Agent) connected() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status.Connected, a.status.Since, a.status.Error = true, time.Now(), ""
}

func (a *Agent) disconnected(ctx context.Context, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.status.Connected {
		a.status.Connected, a.status.Since = false, time.Now()
	}
	a.status.Error = ""
	if err != nil && ctx.Err() == nil {
		a.status.Error = err.Error()
	}
	a.traps.unsend()
}
