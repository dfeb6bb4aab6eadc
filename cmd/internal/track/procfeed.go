package track

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The process connector (linux/connector.h, linux/cn_proc.h).
const (
	cnIndexProc      = 1
	cnValueProc      = 1
	procMulticastOn  = 1
	procBuffer       = 1 << 20
	cnHeaderLen      = 20 // struct cn_msg
	procHeaderLen    = 16 // of struct proc_event, before what depends on the kind
	procAckPatience  = time.Second
	procForkKind     = 0x1
	procExecKind     = 0x2
	procCommKind     = 0x200
	procExitKind     = 0x80000000
	procEventMinimum = unix.SizeofNlMsghdr + cnHeaderLen + procHeaderLen
)

// procPause is how long events are gathered: of a program that forks all the
// time the trackers hear now and then.
const procPause = 20 * time.Millisecond

// procDrain bounds how many messages are heard at once.
const procDrain = 10_000

// A procEvent is news of a process.
type procEvent struct {
	kind   procKind
	pid    int
	parent int // of a fork
}

type procKind uint8

const (
	procAcknowledged procKind = iota // the kernel answers that it will tell, or not: pid is its errno
	procForked
	procChanged // runs another program, or calls itself otherwise
	procExited
)

// A procFeed is the kernel's telling of processes. There is one for the first
// network, process and user namespaces only, and with CONFIG_PROC_EVENTS.
type procFeed struct {
	socket *os.File
	reader sync.WaitGroup
}

// openProcFeed asks the kernel to tell, and waits for its answer.
func openProcFeed() (*procFeed, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_CONNECTOR)
	if err != nil {
		return nil, fmt.Errorf("open the kernel's process connector: %w", err)
	}
	f := &procFeed{socket: os.NewFile(uintptr(fd), "process connector")}
	if err := f.subscribe(fd); err != nil {
		_ = f.socket.Close()
		return nil, err
	}
	return f, nil
}

func (f *procFeed) subscribe(fd int) error {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, procBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, procBuffer) // it is quick, not sure
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: cnIndexProc}); err != nil {
		return fmt.Errorf("listen to the kernel's process connector: %w", err)
	}
	if err := unix.Sendto(fd, listenRequest(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask the kernel to tell of processes, which it does in its first network namespace only: %w", err)
	}
	if err := f.socket.SetReadDeadline(time.Now().Add(procAckPatience)); err != nil {
		return fmt.Errorf("wait for the process connector: %w", err)
	}
	b := make([]byte, os.Getpagesize())
	for {
		n, err := f.socket.Read(b)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return errors.New("the kernel does not tell of processes: it is built without that, or has process and user namespaces before this one")
		case err != nil:
			return fmt.Errorf("wait for the process connector: %w", err)
		}
		for _, e := range parseProc(b[:n]) {
			switch {
			case e.kind != procAcknowledged:
			case e.pid != 0:
				return fmt.Errorf("ask the kernel to tell of processes: %w", unix.Errno(e.pid))
			default:
				return f.socket.SetReadDeadline(time.Time{})
			}
		}
	}
}

// listenRequest is the message that has the kernel tell this socket.
func listenRequest() []byte {
	b := make([]byte, unix.SizeofNlMsghdr+cnHeaderLen+4)
	put := binary.NativeEndian
	put.PutUint32(b, uint32(len(b)))
	put.PutUint16(b[4:], unix.NLMSG_DONE)
	m := b[unix.SizeofNlMsghdr:]
	put.PutUint32(m, cnIndexProc)
	put.PutUint32(m[4:], cnValueProc)
	put.PutUint16(m[16:], 4) // length of what follows
	put.PutUint32(m[cnHeaderLen:], procMulticastOn)
	return b
}

// start has another goroutine call hear with what the kernel tells; lost says
// that it could not tell everything.
func (f *procFeed) start(hear func(events []procEvent, lost bool)) {
	f.reader.Go(func() {
		b := make([]byte, os.Getpagesize())
		for {
			n, err := f.socket.Read(b)
			lost := errors.Is(err, unix.ENOBUFS)
			if err != nil && !lost {
				return // closed
			}
			events := parseProc(b[:max(n, 0)])
			if len(events) == 0 && !lost {
				continue
			}
			time.Sleep(procPause)
			events, lostMore := f.drain(b, events)
			hear(events, lost || lostMore)
		}
	})
}

// drain appends the events that have come, without waiting for any.
func (f *procFeed) drain(b []byte, events []procEvent) (all []procEvent, lost bool) {
	raw, err := f.socket.SyscallConn()
	if err != nil {
		return events, false // closed
	}
	for range procDrain {
		var n int
		if e := raw.Read(func(fd uintptr) bool {
			n, err = unix.Read(int(fd), b)
			return true
		}); e != nil {
			break // closed
		}
		switch {
		case errors.Is(err, unix.ENOBUFS):
			lost = true
		case errors.Is(err, unix.EINTR):
		case err != nil: // nothing more
			return events, lost
		default:
			events = append(events, parseProc(b[:n])...)
		}
	}
	return events, lost
}

func (f *procFeed) close() {
	_ = f.socket.Close() // it was only read
	f.reader.Wait()
}

// parseProc reads the messages of one datagram. Threads are not processes: what
// concerns them alone is left out.
func parseProc(b []byte) []procEvent {
	var events []procEvent
	get := binary.NativeEndian
	for len(b) >= unix.SizeofNlMsghdr {
		size := int(get.Uint32(b))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			break
		}
		if size >= procEventMinimum {
			if e, ok := parseProcEvent(b[unix.SizeofNlMsghdr+cnHeaderLen : size]); ok {
				events = append(events, e)
			}
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	return events
}

// parseProcEvent reads a struct proc_event.
func parseProcEvent(b []byte) (procEvent, bool) {
	get := binary.NativeEndian
	word := func(i int) int {
		if at := procHeaderLen + 4*i; at+4 <= len(b) {
			return int(int32(get.Uint32(b[at:])))
		}
		return 0
	}
	process, group := word(0), word(1)
	switch get.Uint32(b) {
	case 0:
		return procEvent{kind: procAcknowledged, pid: word(0)}, true
	case procForkKind: // parent, its group, child, its group
		child, group := word(2), word(3)
		return procEvent{kind: procForked, pid: child, parent: word(1)}, child == group && child > 0
	case procExecKind, procCommKind:
		return procEvent{kind: procChanged, pid: process}, process == group && process > 0
	case procExitKind:
		return procEvent{kind: procExited, pid: process}, process == group && process > 0
	}
	return procEvent{}, false
}
