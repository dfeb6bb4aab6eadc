package probe

import (
	"context"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"holdfast/checker/poll"
)

// A Stepper is a Prober that can ask in steps that never wait. Whoever waits for many
// sockets at once can then make attempts without a goroutine for each.
type Stepper interface {
	Prober
	// Start begins an attempt; nil if this one needs Probe.
	Start() Steps
}

// Steps are one attempt.
type Steps interface {
	// Step goes on until it would have to wait. It may be called when there is nothing
	// to do yet.
	Step() Progress
	// Socket returns what to wait for before the next Step. known says that a call has
	// returned the same before, perhaps of an earlier attempt.
	Socket() (fd int, events uint32, known bool)
	// Result returns what ProbeWeight would, after Done.
	Result() (*Weight, error)
	// Rest makes what is left of the attempt, and waits, after Long.
	Rest(ctx context.Context) (*Weight, error)
	// Expire gives up, because the timeout has passed. Result then says what was missing.
	Expire()
}

// Progress is how far an attempt has come.
type Progress int

// The progress of an attempt.
const (
	Waiting Progress = iota // for the socket
	Done
	Long // what is left takes many steps, or steps that wait
)

// A line is a socket that is connecting, or that has connected, for Steps.
type line struct {
	fd        int // -1: none
	connected bool
	known     bool // Socket has returned it
}

// open begins to connect, with the dialer's options and further ones.
func (l *line) open(d *dialer) error {
	fd, over, err := d.open()
	if err != nil {
		*l = line{fd: -1}
		return unsent(d.failed("connect", err))
	}
	*l = line{fd: fd, connected: over}
	if over && isWithItself(fd, &d.to) {
		return d.failed("connect", unix.ECONNREFUSED)
	}
	return nil
}

// reach reports whether the socket has connected. Once connecting is over, another
// connect(2) says how it ended (__inet_stream_connect in net/ipv4/af_inet.c). On this
// host and with a near server, it is over when the first one returns.
func (l *line) reach(d *dialer) (bool, error) {
	if l.connected {
		return true, nil
	}
	errno := connectNow(l.fd, &d.to)
	switch {
	case errno == unix.EALREADY, errno == unix.EINPROGRESS:
		return false, nil
	case errno != 0:
		return false, d.failed("connect", os.NewSyscallError("connect", errno))
	case isWithItself(l.fd, &d.to):
		return false, d.failed("connect", unix.ECONNREFUSED)
	}
	l.connected = true
	return true, nil
}

// Socket implements Steps.
func (l *line) Socket() (fd int, events uint32, known bool) {
	events = poll.Readable
	if !l.connected {
		events |= poll.Writable
	}
	known, l.known = l.known, true
	return l.fd, events, known
}

func (l *line) close() {
	if l.fd >= 0 {
		closeNow(l.fd)
		l.fd = -1
	}
}

// wouldWait reports whether a system call failed because it would have to wait.
func wouldWait(errno syscall.Errno) bool {
	return errno == unix.EAGAIN || errno == unix.EINTR
}
