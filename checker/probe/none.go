package probe

import "context"

// None asks nobody: a server with this check counts as well.
type None struct{}

// Kind returns "none".
func (None) Kind() string { return "none" }

// Needs returns NeedsNothing.
func (None) Needs() Needs { return NeedsNothing }

// Validate returns nil.
func (None) Validate() FieldErrors { return nil }

func (None) prober(*Tools, Target) Prober {
	return ProberFunc(func(context.Context) error { return nil })
}
