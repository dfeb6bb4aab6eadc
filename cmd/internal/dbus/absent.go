//go:build !dbus

package dbus

import (
	"context"
	"log/slog"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
)

// Built reports whether this binary supports D-Bus.
const Built = false

// A Service does nothing in this build.
type Service struct{ opts Options }

// New returns a Service that only keeps its options.
func New(_ *slog.Logger, _ Director, o Options) *Service { return &Service{opts: o} }

// Configure replaces the options.
func (s *Service) Configure(o Options) { s.opts = o }

// Add does nothing.
func (s *Service) Add(...Instance) {}

// Remove does nothing.
func (s *Service) Remove(string) {}

// Handle does nothing.
func (s *Service) Handle(*event.Event) {}

// Change does nothing.
func (s *Service) Change(string, State) {}

// Reloaded does nothing.
func (s *Service) Reloaded() {}

// Stopped does nothing.
func (s *Service) Stopped() {}

// Close does nothing.
func (s *Service) Close(context.Context) {}

// Status reports the options and, as error, that this binary lacks D-Bus.
func (s *Service) Status() status.DBus {
	return status.DBus{Bus: s.opts.Bus, Name: s.opts.Name, Error: "this binary was built without D-Bus"}
}
