// Package reconnect keeps a connection to a peer that may be away for a while.
package reconnect

import (
	"context"
	"log/slog"
	"time"
)

// A Loop connects to one peer again and again. It logs when the connection is lost
// and when it is established, and not every attempt.
type Loop struct {
	Log             *slog.Logger
	Connected, Lost string // messages; Lost is logged as a warning, with the error

	// Min and Max bound the pause after a connection or an attempt has ended. The
	// pause doubles each time.
	Min, Max time.Duration
	// Steady is how long a connection must have lasted for the next pause to be Min
	// again, so that a peer that ends each connection at once is not asked every Min.
	Steady time.Duration

	state state
}

// A state is what the log said last.
type state int

const (
	unknown state = iota
	connected
	lost
)

// Run calls connect until connect returns nil or ctx ends. connect has one
// connection: it calls up once the connection is established, and returns why the
// connection could not be established or why it ended. After ctx has ended, an error
// is not logged.
func (l *Loop) Run(ctx context.Context, connect func(up func()) error) {
	for pause := l.Min; ; pause = min(2*pause, l.Max) {
		from := time.Now()
		err := connect(l.up)
		if err == nil || ctx.Err() != nil {
			return
		}
		l.down(err)
		if time.Since(from) >= l.Steady {
			pause = l.Min
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (l *Loop) up() {
	if l.state != connected {
		l.Log.Info(l.Connected)
	}
	l.state = connected
}

func (l *Loop) down(err error) {
	if l.state != lost {
		l.Log.Warn(l.Lost, "err", err)
	}
	l.state = lost
}
