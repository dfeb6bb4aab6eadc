package probe

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

// A dialer makes the connections of a check.
type dialer struct {
	kind    int32          // SOCK_STREAM or SOCK_DGRAM
	toward  bool           // the source is that of packets to the address source
	source  netip.Addr     // the zero Addr: the kernel chooses
	remote  netip.AddrPort // never an IPv4 address in IPv6 form
	to      sockname       // of remote, once a socket was opened
	options []socketOption

	timeout time.Duration // for the words of errors; the context has the deadline
}

// newDialer returns the dialer for a target. It sets the options on each socket
// before the socket connects, after those of to.Dial.
func newDialer(to Target, kind int, options ...socketOption) dialer {
	d := dialer{
		kind:    int32(kind),
		remote:  netip.AddrPortFrom(to.Address.Addr().Unmap(), to.Address.Port()),
		options: to.Dial.options(),
		source:  to.Dial.Source.Unmap(),
		timeout: to.Timeout,
	}
	if !d.source.IsValid() {
		d.source = to.Dial.Toward.Unmap()
		d.toward = d.source.IsValid()
	}
	if d.source.IsValid() {
		d.options = append(d.options, keepNoPort)
	}
	d.options = append(d.options, options...)
	return d
}

// beside returns the dialer for another port of the same server.
func (d *dialer) beside(port uint16) dialer {
	other := *d
	other.remote, other.to = netip.AddrPortFrom(d.remote.Addr(), port), sockname{}
	return other
}

// keepNoPort lets connect(2) choose the local port. Without it bind(2) reserves
// a port for this socket alone. A few hundred servers that are asked every
// second would then use up the range of ports, because a port stays in TIME_WAIT
// for a minute.
func keepNoPort(fd int) error {
	return os.NewSyscallError("set IP_BIND_ADDRESS_NO_PORT",
		unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1))
}

// failed returns the reason of an attempt that err ended in a step: "connect",
// "TLS", "answer". The reason leaves out addresses.
func (d *dialer) failed(step string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return &stepError{step, fmt.Sprintf("timeout after %v", d.timeout), err}
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
			step = "bind to source " + d.source.String()
			if d.toward {
				step = "bind to the source towards " + d.source.String()
			}
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

// unanswered is failed for a question over UDP to which no answer came. stray says that
// other datagrams did.
func (d *dialer) unanswered(err error, stray bool) error {
	err = d.failed("answer", err)
	if stray {
		return fmt.Errorf("%w; what came was no answer to the question", err)
	}
	return err
}

// isPlainCall reports whether a system call's name says no more than the step
// in which it failed.
func isPlainCall(name string) bool {
	switch name {
	case "connect", "getsockopt", "sendto", "read", "write":
		return true
	}
	return false
}

// A stepError is the reason that people read, with the error behind it.
type stepError struct {
	step, text string
	err        error
}

func (e *stepError) Error() string { return e.step + ": " + e.text }
func (e *stepError) Unwrap() error { return e.err }
