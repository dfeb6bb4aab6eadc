package checker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A caller makes the connections of a check.
type caller struct {
	dialer  net.Dialer
	network string // "tcp4" or "tcp6"
	remote  string
	source  string        // for words
	timeout time.Duration // for words; the deadline is the context's
}

// newCaller returns the caller for c; option, unless nil, is set on each socket
// before it connects.
func newCaller(c *Config, network string, option func(fd int) error) caller {
	remote := netip.AddrPortFrom(c.Address.Addr().Unmap(), c.Address.Port())
	d := caller{network: network + "4", remote: remote.String(), timeout: c.Timeout}
	if remote.Addr().Is6() {
		d.network = network + "6"
	}
	// Keepalive never matters in the life of a check, and costs three calls.
	d.dialer.KeepAlive = -1
	if s := c.Dial.Source; s.IsValid() {
		d.dialer.LocalAddr, d.source = localAddr(network, s), s.String()
	}
	options := c.Dial.options()
	if c.Dial.Source.IsValid() {
		options = append(options, keepNoPort)
	}
	if option != nil {
		options = append(options, option)
	}
	if len(options) > 0 {
		d.dialer.Control = control(options)
	}
	return d
}

func localAddr(network string, a netip.Addr) net.Addr {
	if network == "udp" {
		return net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 0))
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, 0))
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

func control(options []func(fd int) error) func(string, string, syscall.RawConn) error {
	return func(_, _ string, conn syscall.RawConn) error {
		var failed error
		err := conn.Control(func(fd uintptr) {
			for _, set := range options {
				if failed = set(int(fd)); failed != nil {
					return
				}
			}
		})
		return errors.Join(err, failed)
	}
}

// dial connects, until ctx ends.
func (c *caller) dial(ctx context.Context) (net.Conn, error) {
	conn, err := c.dialer.DialContext(ctx, c.network, c.remote)
	if err != nil {
		return nil, c.failed("connect", err)
	}
	return conn, nil
}

// aLongTimeAgo is a deadline that ends every read and write at once.
var aLongTimeAgo = time.Unix(1, 0)

// bound makes the end of ctx the end of all reading and writing on conn, until
// release is called.
func bound(ctx context.Context, conn net.Conn) (release func() bool) {
	return context.AfterFunc(ctx, func() {
		// It fails on a closed connection only, where nobody waits.
		_ = conn.SetDeadline(aLongTimeAgo)
	})
}

// failed puts into words that err ended a step of an attempt ("connect",
// "TLS", "answer"). Addresses are left out: the reader knows whom we asked.
func (c *caller) failed(step string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		return &stepError{step, fmt.Sprintf("timeout after %v", c.timeout), err}
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
			step = "bind to source " + c.source
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
	case "connect", "getsockopt", "read", "write", "readv", "writev", "recvfrom", "sendto":
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
