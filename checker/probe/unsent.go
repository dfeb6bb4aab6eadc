package probe

import (
	"errors"
	"os"
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

// unopened returns the reason of an attempt for which this host could not begin a
// connection. That no local port is free says nothing of the server, and is so for all
// servers at once.
func (d *dialer) unopened(err error) error {
	if d.lacksPort(err) {
		return Inconclusive(&stepError{"connect", "no local port is free", err})
	}
	return unsent(d.failed("connect", err))
}

// lacksPort reports whether no local port is free. UDP says so by EAGAIN (inet_autobind in
// net/ipv4/af_inet.c), also where the source towards an address is looked for. For TCP it
// is the error that bind(2) has for a missing source (__inet_hash_connect in
// net/ipv4/inet_hashtables.c); without a source of the check it can also mean that the
// host has no IPv6 address.
func (d *dialer) lacksPort(err error) bool {
	call, ok := errors.AsType[*os.SyscallError](err)
	if !ok {
		return false
	}
	return errors.Is(call.Err, syscall.EAGAIN) || d.source.IsValid() && call.Syscall == "connect" && errors.Is(call.Err, syscall.EADDRNOTAVAIL)
}
