package dbus

import (
	"context"

	"holdfast/cmd/internal/status"
)

// Options are what may change while a Service runs.
type Options struct {
	Bus    string // as the administrator wrote it
	Socket string // of the bus, as net.Dial wants it
	Name   string // of the service
}

// An Instance is a virtual router as it begins.
type Instance struct {
	Name      string
	Interface string
	VRID      uint8
	IPv6      bool
	State     State
}

// A State is keepalived's number of a state.
type State uint32

// The states. Stop is that of an instance that was stopped.
const (
	Init   State = 0
	Backup State = 1
	Master State = 2
	Fault  State = 3
	Stop   State = 98
)

// A Director does what methods ask for. Its methods are called from several
// goroutines, and heed ctx.
type Director interface {
	// Status returns a value of the caller's own.
	Status(ctx context.Context) (*status.Status, error)
	// Reload applies the configuration file.
	Reload(ctx context.Context) error
	// Announce announces the addresses of a MASTER once more, with "" those of
	// every MASTER.
	Announce(ctx context.Context, instance string) error
	// Write replaces a file in the runtime directory.
	Write(name string, content []byte) error
}
