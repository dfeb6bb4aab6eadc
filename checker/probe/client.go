package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// maxAnswer is how many bytes of a server are read in one attempt, the handshake
// of TLS included.
const maxAnswer = 1 << 20

// A Dialer connects to the server of one check. The kinds of check whose client is
// in another package use it as well: whatever a library does, its bytes go through a
// Conn.
type Dialer struct {
	dialer
	tls *TLSClient // nil: without TLS
}

// NewDialer returns the Dialer for a valid target and valid TLS settings; nil is
// without TLS. The name in the server's certificate is by default name, and that is
// by default the server's address. protocols are those that ALPN offers.
func NewDialer(to Target, secure *TLS, name string, protocols ...string) *Dialer {
	if name == "" {
		name = to.Address.Addr().Unmap().WithZone("").String()
	}
	return &Dialer{newDialer(to, unix.SOCK_STREAM, sendAtOnce), NewTLSClient(secure, name, protocols...)}
}

// Dial connects, without TLS.
func (d *Dialer) Dial(ctx context.Context) (*Conn, error) {
	s, err := d.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &Conn{socket: s, dialer: d, left: maxAnswer}, nil
}

// Beside returns a Dialer, without TLS, for another port of the same server.
func (d *Dialer) Beside(port uint16) *Dialer {
	return &Dialer{dialer: d.beside(port)}
}

// Secure makes the TLS handshake on a connection of d. Without TLS it returns conn.
func (d *Dialer) Secure(conn *Conn) (net.Conn, error) {
	if d.tls == nil {
		return conn, nil
	}
	secure, err := d.tls.Secure(conn)
	if err != nil {
		return nil, conn.Failed("TLS", err)
	}
	return secure, nil
}

// TLS returns the client for the handshakes that a library makes by itself; nil
// without TLS.
func (d *Dialer) TLS() *TLSClient { return d.tls }

// Warning implements Warner.
func (d *Dialer) Warning() string { return d.tls.Warning() }

// CertificateEnds implements CertificateHolder.
func (d *Dialer) CertificateEnds() time.Time { return d.tls.CertificateEnds() }

// A Conn is the connection of one attempt. The end of the attempt's context ends
// every read and write, so a library needs no context and no deadline of its own. A
// Conn reads maxAnswer bytes at most. It may be used like any net.Conn by several
// goroutines, but only one may read.
type Conn struct {
	*socket
	dialer *Dialer
	left   int                   // bytes that may still be read
	broken atomic.Pointer[error] // the first error of the connection
}

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, c.note(ErrTooLong)
	}
	n, err := c.socket.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, c.note(err)
}

// ErrTooLong is the error of reading from a server that sends too much.
var ErrTooLong = fmt.Errorf("the server sent more than %d KiB", maxAnswer>>10)

// Write implements net.Conn.
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.socket.Write(b)
	return n, c.note(err)
}

// note remembers err if it is the first one, and returns it. That our side has closed the
// connection is no reason: it did so for one.
func (c *Conn) note(err error) error {
	if err != nil && !errors.Is(err, os.ErrClosed) {
		c.broken.CompareAndSwap(nil, &err)
	}
	return err
}

// Failed returns the reason of an attempt that err ended in a step: "login",
// "query". An error of the connection comes before err, because many libraries hide
// what became of their connection. Faults of TLS are of the step "TLS", because some
// libraries make the handshake by themselves.
func (c *Conn) Failed(step string, err error) error {
	if fault := tlsFault(err); fault != nil {
		return c.dialer.failed("TLS", fault)
	}
	if broken := c.broken.Load(); broken != nil {
		err = *broken
	}
	return c.dialer.failed(step, err)
}

// Misread returns the reason of a step that failed because a library does not understand
// what the server sent: it is not that of a server of this name ("a MySQL server"). If the
// connection failed it is Failed.
func (c *Conn) Misread(step, name string, err error) error {
	if c.broken.Load() != nil || tlsFault(err) != nil {
		return c.Failed(step, err)
	}
	return &stepError{step, "the answer is not that of " + name, err}
}

// tlsFault returns what in err says that a certificate is not good, or is an alert of
// the server; nil if there is no such thing.
func tlsFault(err error) error {
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return bad
	}
	if alert, ok := errors.AsType[*net.OpError](err); ok && alert.Op == "remote error" {
		return alert
	}
	return nil
}

// SetDeadline changes nothing: the deadline is that of the attempt. A library that
// clears its own deadline must not clear that one.
func (c *Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline changes nothing.
func (c *Conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline changes nothing.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// noClient returns the Prober of a kind whose client is not in Tools.Clients.
func noClient(kind string) Prober {
	return ProberFunc(func(context.Context) error {
		return errors.New("this program has no client for checks of type " + kind)
	})
}

// Excerpt returns the beginning of what a server answered, in quotes, for a reason.
func Excerpt(answer string) string { return excerpt([]byte(answer)) }
