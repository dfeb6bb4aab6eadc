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
	procHeaderLen    = 16 // struct proc_event up to event_data
	procAckTimeout   = time.Second
	procForkKind     = 0x1
	procExecKind     = 0x2
	procCommKind     = 0x200
	procExitKind     = 0x80000000
	procEventMinimum = unix.SizeofNlMsghdr + cnHeaderLen + procHeaderLen
)

// procPause is how long events are collected before the trackers receive them,
// because a program that forks all the time would otherwise wake them each time.
const procPause = 20 * time.Millisecond

// procDrain bounds the number of messages that are read in one go.
const procDrain = 10_000

// A procEvent reports that a process has begun, changed or ended.
type procEvent struct {
	kind   procKind
	pid    int
	parent int // with procForked only
}

type procKind uint8

const (
	procAcknowledged procKind = iota // the answer to a subscription; pid is its errno
	procForked
	procChanged // executed another program or changed its name
	procExited
)

// A procFeed receives the kernel's process events. The kernel sends them with
// CONFIG_PROC_EVENTS, and only in its first network, process and user
// namespaces.
//
// It uses the connector directly. ProcEventMonitor of vishvananda/netlink
// v1.3.1 stops at the first overflow of its socket (ENOBUFS), whose size cannot
// be set, and ignores the error of the subscription: in another network namespace
// it returns no error and no event (findings/netlink-process-events.sh).
type procFeed struct {
	socket *os.File
	reader sync.WaitGroup
}

// openProcFeed subscribes to process events and waits for the kernel's answer.
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
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, procBuffer) // a smaller buffer only overflows sooner
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: cnIndexProc}); err != nil {
		return fmt.Errorf("join the kernel's process connector: %w", err)
	}
	if err := unix.Sendto(fd, listenRequest(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("subscribe to process events, which the kernel sends in its first network namespace only: %w", err)
	}
	if err := f.socket.SetReadDeadline(time.Now().Add(procAckTimeout)); err != nil {
		return fmt.Errorf("wait for the process connector: %w", err)
	}
	b := make([]byte, os.Getpagesize())
	for {
		n, err := f.socket.Read(b)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return errors.New("the kernel sends no process events here: it is built without them, or this is not its first process and user namespace")
		case err != nil:
			return fmt.Errorf("wait for the process connector: %w", err)
		}
		for _, e := range parseProc(b[:n]) {
			switch {
			case e.kind != procAcknowledged:
			case e.pid != 0:
				return fmt.Errorf("subscribe to process events: %w", unix.Errno(e.pid))
			default:
				return f.socket.SetReadDeadline(time.Time{})
			}
		}
	}
}

// listenRequest returns the message that subscribes this socket.
func listenRequest() []byte {
	b := make([]byte, unix.SizeofNlMsghdr+cnHeaderLen+4)
	put := binary.NativeEndian
	put.PutUint32(b, uint32(len(b)))
	put.PutUint16(b[4:], unix.NLMSG_DONE)
	m := b[unix.SizeofNlMsghdr:]
	put.PutUint32(m, cnIndexProc)
	put.PutUint32(m[4:], cnValueProc)
	put.PutUint16(m[16:], 4) // length of the payload
	put.PutUint32(m[cnHeaderLen:], procMulticastOn)
	return b
}

// start calls receive from a new goroutine with the events of the kernel. lost
// reports that the socket overflowed and events are missing.
func (f *procFeed) start(receive func(events []procEvent, lost bool)) {
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
			receive(events, lost || lostMore)
		}
	})
}

// drain appends the events that the socket holds. It does not wait.
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
		case err != nil: // EAGAIN: the socket is empty
			return events, lost
		default:
			events = append(events, parseProc(b[:n])...)
		}
	}
	return events, lost
}

// close ends the goroutine of start and waits for it.
func (f *procFeed) close() {
	_ = f.socket.Close() // nothing is written to it
	f.reader.Wait()
}

// parseProc decodes the messages of one datagram. It leaves out events of
// threads other than a process's first.
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

// parseProcEvent decodes a struct proc_event.
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
