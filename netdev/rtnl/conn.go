package rtnl

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const (
	// Batch is the most requests that share one sendmsg. The answers fit the
	// receive buffer even if the kernel refuses every request.
	Batch = 512
	// answerTimeout bounds the wait for an answer. The kernel answers within the
	// sendmsg, so this is the wait for an answer that was lost.
	answerTimeout = 5 // seconds
)

// A Conn is a route netlink socket. It sends many requests in one system call
// and waits for one acknowledgement. The netlink library needs a round trip for
// each request.
type Conn struct {
	mu  sync.Mutex
	fd  int
	seq uint32
	in  []byte
	out []byte // the requests of one system call
}

// Dial opens a Conn in the network namespace of the calling thread.
func Dial() (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open route netlink socket: %w", err)
	}
	c := &Conn{fd: fd, in: make([]byte, 1<<17)}
	if err := c.prepare(); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("prepare route netlink socket: %w", err)
	}
	return c, nil
}

// DialStrict opens a Conn whose dumps the kernel filters by what the request
// says. Before Linux 5.0 the kernel sends the whole table.
func DialStrict() (*Conn, error) {
	c, err := Dial()
	if err == nil {
		_ = unix.SetsockoptInt(c.fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)
	}
	return c, err
}

func (c *Conn) prepare() error {
	// Forcing needs CAP_NET_ADMIN. With the default sizes a batch of failing
	// requests may lose answers, which is reported as an error.
	_ = unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20)
	_ = unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 1<<20)
	// Without CAP_ACK each answer repeats the request. Both exist since Linux 4.12.
	_ = unix.SetsockoptInt(c.fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	_ = unix.SetsockoptInt(c.fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	if err := unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: answerTimeout}); err != nil {
		return err
	}
	return unix.Bind(c.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// Close closes the socket.
func (c *Conn) Close() { unix.Close(c.fd) }

// An Error is a request that the kernel refused: the error number and the
// kernel's own text, if it gave one.
type Error struct {
	errno unix.Errno
	text  string
}

// Error returns the error number's text and the kernel's.
func (e *Error) Error() string {
	if e.text == "" {
		return e.errno.Error()
	}
	return fmt.Sprintf("%v (%s)", e.errno, e.text)
}

// Unwrap returns the unix.Errno.
func (e *Error) Unwrap() error { return e.errno }

// Do sends requests and returns the error of each, in order. A nil slice means
// that all succeeded. The kernel carries out the requests after one that it
// refuses.
func (c *Conn) Do(requests []*nl.NetlinkRequest) []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []error
	for at := 0; at < len(requests); at += Batch {
		chunk := requests[at:min(at+Batch, len(requests))]
		for i, err := range c.chunk(chunk) {
			if err == nil {
				continue
			}
			if all == nil {
				all = make([]error, len(requests))
			}
			all[at+i] = err
		}
	}
	return all
}

// chunk sends requests in one system call. Only the last asks for an
// acknowledgement. The kernel always answers a request that it refuses.
func (c *Conn) chunk(requests []*nl.NetlinkRequest) []error {
	first := c.seq + 1
	out := c.out[:0]
	for i, r := range requests {
		c.seq++
		r.Seq = c.seq
		r.Flags |= unix.NLM_F_REQUEST
		r.Flags &^= unix.NLM_F_ACK
		if i == len(requests)-1 {
			r.Flags |= unix.NLM_F_ACK
		}
		out = append(out, r.Serialize()...)
		out = append(out, padding[:-len(out)&3]...)
	}
	c.out = out
	errs := make([]error, len(requests))
	if err := unix.Sendto(c.fd, out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fill(errs, fmt.Errorf("send netlink request: %w", err))
	}
	for {
		messages, err := c.receive()
		if err != nil {
			Drain(c.fd)
			return fill(errs, fmt.Errorf("read netlink answer: %w", err))
		}
		for _, m := range messages {
			i := m.Header.Seq - first
			if m.Header.Type != unix.NLMSG_ERROR || i >= uint32(len(requests)) {
				continue // the late answer to a request that timed out
			}
			errs[i] = parseError(m)
			if int(i) == len(requests)-1 {
				return errs
			}
		}
	}
}

func fill(errs []error, err error) []error {
	for i := range errs {
		if errs[i] == nil {
			errs[i] = err
		}
	}
	return errs
}

// Drain discards the queue of a netlink socket. After an overrun the kernel drops
// further messages without reporting it, until the queue has been empty once
// (net/netlink/af_netlink.c netlink_overrun, netlink_rcv_wake). So a reader that
// lost messages must drain the queue before it lists everything again.
func Drain(fd int) {
	var b [1]byte // the kernel discards the rest of the message
	for {
		_, _, err := unix.Recvfrom(fd, b[:], unix.MSG_DONTWAIT)
		if err != nil && !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.ENOBUFS) {
			return
		}
	}
}

func (c *Conn) receive() ([]syscall.NetlinkMessage, error) {
	for {
		n, _, err := unix.Recvfrom(c.fd, c.in, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return syscall.ParseNetlinkMessage(c.in[:n])
	}
}

// parseError reads an NLMSG_ERROR. The error number 0 acknowledges success.
func parseError(m syscall.NetlinkMessage) error {
	if len(m.Data) < 4+unix.SizeofNlMsghdr {
		return errors.New("short netlink answer")
	}
	errno := -int32(binary.NativeEndian.Uint32(m.Data))
	if errno == 0 {
		return nil
	}
	e := &Error{errno: unix.Errno(errno)}
	if m.Header.Flags&unix.NLM_F_ACK_TLVS == 0 {
		return e
	}
	rest := m.Data[4+unix.SizeofNlMsghdr:]
	if m.Header.Flags&unix.NLM_F_CAPPED == 0 {
		skip := int(binary.NativeEndian.Uint32(m.Data[4:])) - unix.SizeofNlMsghdr
		if skip < 0 || skip > len(rest) {
			return e
		}
		rest = rest[skip:]
	}
	attributes, err := nl.ParseRouteAttr(rest)
	if err != nil {
		return e
	}
	for _, a := range attributes {
		if a.Attr.Type&nl.NLA_TYPE_MASK == nl.NLMSGERR_ATTR_MSG {
			e.text = nl.BytesToString(a.Value)
		}
	}
	return e
}

// ErrInterrupted is the error of a dump that never was consistent: the table
// changed during each try. What the last try delivered may lack entries that are
// there, and have entries that are not.
var ErrInterrupted = errors.New("the table kept changing while it was read")

const (
	// dumpLimit bounds the tries of Dump.
	dumpLimit = 2 * time.Second
	// dumpPause is the pause after the first interrupted try. It doubles with
	// each, up to dumpPauseMax.
	dumpPause    = time.Millisecond
	dumpPauseMax = 64 * time.Millisecond
)

// Dump reads a whole table and calls f with the body of each message. It tries
// again if the table changed meanwhile (NLM_F_DUMP_INTR), and calls reset before
// each try. After two seconds it gives up with ErrInterrupted.
func (c *Conn) Dump(request func() *nl.NetlinkRequest, kind uint16, reset func(), f func([]byte) error) error {
	return c.DumpWithin(dumpLimit, request, kind, reset, f)
}

// DumpWithin is Dump with another limit. It tries at least once.
func (c *Conn) DumpWithin(limit time.Duration, request func() *nl.NetlinkRequest, kind uint16, reset func(), f func([]byte) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	end := time.Now().Add(limit)
	for pause := dumpPause; ; pause = min(2*pause, dumpPauseMax) {
		reset()
		interrupted, err := c.dumpOnce(request(), kind, f)
		if err != nil || !interrupted {
			return err
		}
		if time.Until(end) < pause {
			return ErrInterrupted
		}
		time.Sleep(pause)
	}
}

func (c *Conn) dumpOnce(r *nl.NetlinkRequest, kind uint16, f func([]byte) error) (interrupted bool, err error) {
	c.seq++
	r.Seq = c.seq
	r.Flags = unix.NLM_F_REQUEST | unix.NLM_F_DUMP
	if err := unix.Sendto(c.fd, r.Serialize(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false, fmt.Errorf("send netlink dump request: %w", err)
	}
	for {
		messages, err := c.receive()
		if err != nil {
			return false, fmt.Errorf("read netlink dump: %w", err)
		}
		for _, m := range messages {
			if m.Header.Seq != r.Seq {
				continue
			}
			interrupted = interrupted || m.Header.Flags&unix.NLM_F_DUMP_INTR != 0
			switch m.Header.Type {
			case unix.NLMSG_DONE:
				if len(m.Data) >= 4 {
					if errno := -int32(binary.NativeEndian.Uint32(m.Data)); errno != 0 {
						return false, unix.Errno(errno)
					}
				}
				return interrupted, nil
			case unix.NLMSG_ERROR:
				return false, parseError(m)
			case kind:
				if err := f(m.Data); err != nil {
					return false, err
				}
			}
		}
	}
}

// Ask sends one request and returns the body of the answer.
func (c *Conn) Ask(r *nl.NetlinkRequest, kind uint16) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	r.Seq = c.seq
	r.Flags = unix.NLM_F_REQUEST
	if err := unix.Sendto(c.fd, r.Serialize(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("send netlink request: %w", err)
	}
	for {
		messages, err := c.receive()
		if err != nil {
			Drain(c.fd)
			return nil, fmt.Errorf("read netlink answer: %w", err)
		}
		for _, m := range messages {
			switch {
			case m.Header.Seq != r.Seq:
			case m.Header.Type == unix.NLMSG_ERROR:
				return nil, parseError(m)
			case m.Header.Type == kind:
				return slices.Clone(m.Data), nil
			}
		}
	}
}

// Gone reports whether an error says that an interface or address does not exist.
func Gone(err error) bool {
	return errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENXIO)
}

// Pause waits a second before a subscription is tried again. It returns false if
// ctx is done.
func Pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Second):
		return true
	}
}
