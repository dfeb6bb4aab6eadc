package dbus

import (
	"context"

	"holdfast/cmd/internal/status"
)

// Options are the settings that may change while a Service runs.
type Options struct {
	Bus    string // as written in the configuration
	Socket string // of the bus: a path for net.Dial
	Name   string // service name
}

// An Instance is a virtual router with its current state.
type Instance struct {
	Name      string
	Interface string
	VRID      uint8
	IPv6      bool
	State     State
}

// A State is keepalived's number for a state.
type State uint32

// The states. Stop is the state of an instance that was stopped.
const (
	Init   State = 0
	Backup State = 1
	Master State = 2
	Fault  State = 3
	Stop   State = 98
)

// A Director carries out D-Bus method calls. A Service calls its methods from
// several goroutines. A method with a ctx must return when ctx ends.
type Director interface {
	// Status returns the daemon's status. The caller owns the returned value.
	Status(ctx context.Context) (*status.Status, error)
	// Reload applies the configuration file.
	Reload(ctx context.Context) error
	// Announce announces the addresses of an instance again if it is MASTER. With
	// "" it does so for every MASTER.
	Announce(ctx context.Context, instance string) error
	// Write replaces a file in the runtime directory.
	Write(name string, content []byte) error
}
