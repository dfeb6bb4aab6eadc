package probe

import "errors"

// An inconclusiveError is the reason of an attempt that says nothing of the
// server, because the fault is this host's.
type inconclusiveError struct{ err error }

func (e *inconclusiveError) Error() string { return e.err.Error() }
func (e *inconclusiveError) Unwrap() error { return e.err }

// Inconclusive marks the error of an attempt that found out nothing about the
// server: a program that cannot be run, for instance. Such a result does not
// change the verdict.
func Inconclusive(err error) error { return &inconclusiveError{err} }

// IsInconclusive reports whether an error was marked by Inconclusive.
func IsInconclusive(err error) bool {
	_, ok := errors.AsType[*inconclusiveError](err)
	return ok
}
