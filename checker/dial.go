package checker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A caller makes the connections of a check.
type caller struct {
	kind    int            // SOCK_STREAM or SOCK_DGRAM
	source  netip.Addr     // the zero Addr: the kernel chooses
	remote  netip.AddrPort // IPv4 is not in IPv6
	options []func(fd int) error

	timeout time.Duration // for words; the deadline is the context's
}

// newCaller returns the caller for c. The options are set on each socket before
// it connects, after those of c.Dial.
func newCaller(c *Config, kind int, options ...func(fd int) error) caller {
	d := caller{
		kind:    kind,
		remote:  netip.AddrPortFrom(c.Address.Addr().Unmap(), c.Address.Port()),
		options: c.Dial.options(),
		source:  c.Dial.Source.Unmap(),
		timeout: c.Timeout,
	}
	if d.source.IsValid() {
		d.options = append(d.options, keepNoPort)
	}
	d.options = append(d.options, options...)
	return d
}

// options returns what must be set on a socket for it to go the way of d.
func (d *Dial) options() []func(fd int) error {
	var all []func(int) error
	if device := d.Device; device != "" {
		all = append(all, func(fd int) error {
			return os.NewSyscallError("bind to device "+device, unix.BindToDevice(fd, device))
		})
	}
	if mark := int(d.Mark); mark != 0 {
		all = append(all, func(fd int) error {
			return os.NewSyscallError(fmt.Sprintf("set mark %d", mark),
				unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, mark))
		})
	}
	return all
}

// keepNoPort leaves the choice of a local port to connect(2). Without it bind(2)
// takes one for itself alone, and a few hundred servers asked every second use
// up the range within the minute that a port stays in TIME_WAIT.
func keepNoPort(fd int) error {
	return os.NewSyscallError("set IP_BIND_ADDRESS_NO_PORT",
		unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1))
}

// failed puts into words that err ended a step of an attempt ("connect",
// "TLS", "answer"). Addresses are left out: the reader knows whom we asked.
func (c *caller) failed(step string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return &stepError{step, fmt.Sprintf("timeout after %v", c.timeout), err}
	}
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	if opErr := (*net.OpError)(nil); errors.As(err, &opErr) {
		err = opErr.Err
		if opErr.Op == "remote error" { // crypto/tls: an alert from the server
			return &stepError{step, "the server ended the handshake: " + strings.TrimPrefix(err.Error(), "tls: "), err}
		}
	}
	if sysErr := (*os.SyscallError)(nil); errors.As(err, &sysErr) {
		switch {
		case sysErr.Syscall == "bind":
			step = "bind to source " + c.source.String()
		case !isPlainCall(sysErr.Syscall):
			step = sysErr.Syscall
		}
		err = sysErr.Err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &stepError{step, "the server closed the connection too early", err}
	}
	text := err.Error()
	for _, prefix := range []string{"tls: ", "failed to verify certificate: ", "x509: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return &stepError{step, text, err}
}

// isPlainCall reports whether a system call's name says no more than the step
// in which it failed.
func isPlainCall(name string) bool {
	switch name {
	case "connect", "getsockopt", "sendto":
		return true
	}
	return false
}

// A stepError is an error with the words that people read.
type stepError struct {
	step, text string
	err        error
}

func (e *stepError) Error() string { return e.step + ": " + e.text }
func (e *stepError) Unwrap() error { return e.err }
