package track

import "holdfast/checker/health"

// A State is what a tracker has decided about its subject.
type State = health.State

// The states.
const (
	Unknown = health.Unknown // too few readings so far
	Up      = health.Up
	Down    = health.Down
)
