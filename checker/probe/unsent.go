package probe

import (
	"errors"
	"syscall"
)

// ErrUnsent is wrapped by the error of a probe that could not send anything: this host
// has no route to the server, or lacks the source address or the device. Such an error
// is about this host, and another director may reach the server.
var ErrUnsent = errors.New("the check could not be sent")

// An unsentError is an ErrUnsent with its reason.
type unsentError struct{ error }

func (e unsentError) Is(target error) bool { return target == ErrUnsent }
func (e unsentError) Unwrap() error        { return e.error }

// unsent marks the error of a system call that sends, if nothing was sent. An answer
// that the network is unreachable comes later, with another call.
func unsent(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		switch errno {
		case syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, // no route
			syscall.EACCES,                        // a route of type prohibit
			syscall.ENODEV, syscall.EADDRNOTAVAIL: // no such device or source address
			return unsentError{err}
		}
	}
	return err
}
