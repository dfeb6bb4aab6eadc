package netdev

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A mouth is the packet socket through which frames leave an interface. Each
// interface has its own, so that one whose queue is full or stuck holds up no
// other.
type mouth struct {
	fd       int
	index    int
	name     string
	routed   [2]*mouth                        // raw sockets for IPv4 and IPv6; nil where there is none
	names    *[batchLen]unix.RawSockaddrInet6 // of a raw socket: where to
	queued   int
	messages [batchLen]mmsghdr
	vectors  [batchLen]unix.Iovec
}

// openMouth makes a packet socket of protocol 0: it receives nothing.
func openMouth(l Listen) (*mouth, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: l.Index}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind packet socket to interface %d: %w", l.Index, err)
	}
	// Priority 7 is TC_PRIO_CONTROL: the default queue sends it before user
	// traffic. Without the right to set it adverts are merely not preferred.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, 7)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, receiveBuffer)
	return newMouth(fd, l), nil
}

func newMouth(fd int, l Listen) *mouth {
	m := &mouth{fd: fd, index: l.Index, name: l.Name}
	for i := range m.messages {
		m.messages[i].header.Iov = &m.vectors[i]
		m.messages[i].header.SetIovlen(1)
	}
	return m
}

// A SendError says what an interface did with the frames of one Send. Several
// are joined; errors.As finds the first.
type SendError struct {
	IfIndex int
	Name    string // "" if the interface is not open
	Unsent  int
	Err     error // the first failure: ENETDOWN, ENXIO, ENOBUFS, EMSGSIZE, ErrNotOpen
}

// ErrNotOpen is the error of frames for an interface that Open did not name.
var ErrNotOpen = errors.New("interface is not open")

// Error reads "send on eth0: 2 frames unsent: network is down".
func (e *SendError) Error() string {
	on := e.Name
	if on == "" {
		on = fmt.Sprintf("interface %d", e.IfIndex)
	}
	frames := "frames"
	if e.Unsent == 1 {
		frames = "frame"
	}
	return fmt.Sprintf("send on %s: %d %s unsent: %v", on, e.Unsent, frames, e.Err)
}

// Unwrap returns the cause.
func (e *SendError) Unwrap() error { return e.Err }

// Send sends whole frames, those of one interface in order and in as few
// system calls as it can, and returns how many the kernel took. A frame that
// cannot be sent does not keep the others from being sent; the error joins one
// *SendError for each interface that had such frames.
func (p *Port) Send(frames []Frame) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var failed []*SendError
	sent := 0
	p.pending = p.pending[:0]
	for i := range frames {
		f := &frames[i]
		m := p.mouths[f.IfIndex]
		if m != nil {
			m = m.way(f)
		}
		if m == nil {
			failed = blame(failed, f.IfIndex, "", ErrNotOpen)
			continue
		}
		if len(f.Bytes) == 0 || m.names != nil && !m.address(m.queued, f.Bytes) {
			failed = blame(failed, f.IfIndex, m.name, unix.EINVAL)
			continue
		}
		if m.queued == 0 {
			p.pending = append(p.pending, m)
		}
		m.vectors[m.queued].Base = &f.Bytes[0]
		m.vectors[m.queued].SetLen(len(f.Bytes))
		m.queued++
		if m.queued == batchLen {
			n, err := m.flush()
			sent += n
			failed = p.blameAll(failed, f.IfIndex, m, batchLen-n, err)
		}
	}
	for _, m := range p.pending {
		queued := m.queued
		n, err := m.flush()
		sent += n
		failed = p.blameAll(failed, m.index, m, queued-n, err)
	}
	p.stats.Sent += uint64(sent)
	p.stats.Unsent += uint64(len(frames) - sent)
	return sent, joinSendErrors(failed)
}

// flush sends what is queued, skipping frames that are refused, and returns
// how many were taken and the first error.
func (m *mouth) flush() (sent int, first error) {
	for at := 0; at < m.queued; {
		// As for receiving; 64 frames are less than a millisecond.
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(m.fd), uintptr(unsafe.Pointer(&m.messages[at])),
			uintptr(m.queued-at), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			at += int(n)
			sent += int(n)
		case unix.EINTR:
		default:
			if first == nil {
				first = errno
			}
			at++
		}
	}
	for i := range m.queued {
		m.vectors[i].Base = nil
	}
	m.queued = 0
	return sent, first
}

func (p *Port) blameAll(failed []*SendError, index int, m *mouth, unsent int, err error) []*SendError {
	for range unsent {
		failed = blame(failed, index, m.name, err)
	}
	return failed
}

// blame counts one unsent frame.
func blame(failed []*SendError, index int, name string, err error) []*SendError {
	for _, f := range failed {
		if f.IfIndex == index {
			f.Unsent++
			return failed
		}
	}
	return append(failed, &SendError{IfIndex: index, Name: name, Unsent: 1, Err: err})
}

func joinSendErrors(failed []*SendError) error {
	if len(failed) == 0 {
		return nil
	}
	all := make([]error, len(failed))
	for i, f := range failed {
		all[i] = f
	}
	return errors.Join(all...)
}
