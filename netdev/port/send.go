package port

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A txSocket is the packet socket through which frames leave an interface. Each
// interface has its own, so that a full queue on one delays no other.
type txSocket struct {
	fd       int
	index    int
	name     string
	routed   [2]*txSocket                     // raw sockets for IPv4 and IPv6, nil if not open
	names    *[batchLen]unix.RawSockaddrInet6 // the destinations, if this is a raw socket
	queued   int
	messages [batchLen]mmsghdr
	vectors  [batchLen]unix.Iovec
}

// openTx makes a packet socket of protocol 0, which receives nothing.
func openTx(l Listen) (*txSocket, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: l.Index}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind packet socket to interface %d: %w", l.Index, err)
	}
	// Priority 7 is TC_PRIO_CONTROL, which the default queue sends before user
	// traffic. Without the right to set it, adverts are merely not preferred.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, 7)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, receiveBuffer)
	return newTx(fd, l), nil
}

func newTx(fd int, l Listen) *txSocket {
	s := &txSocket{fd: fd, index: l.Index, name: l.Name}
	for i := range s.messages {
		s.messages[i].header.Iov = &s.vectors[i]
		s.messages[i].header.SetIovlen(1)
	}
	return s
}

// A SendError says which frames of one Send an interface did not take. Send
// joins several; errors.As finds the first.
type SendError struct {
	IfIndex int
	Name    string // "" if the interface is not open
	Unsent  int    // frames
	Err     error  // the first failure: ENETDOWN, ENXIO, ENOBUFS, EMSGSIZE, ErrNotOpen
}

// ErrNotOpen is the error of frames for an interface that was not opened.
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

// Send sends frames and returns how many the kernel took. It keeps the order of
// the frames of one interface, and needs one system call for up to 64 of them. A
// frame that cannot be sent does not stop the others. The error joins one
// *SendError for each interface that had such frames.
func (p *Port) Send(frames []Frame) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var failed []*SendError
	sent := 0
	p.pending = p.pending[:0]
	for i := range frames {
		f := &frames[i]
		s := p.tx[f.IfIndex]
		if s != nil {
			s = s.socketFor(f)
		}
		if s == nil {
			failed = blame(failed, f.IfIndex, "", ErrNotOpen)
			continue
		}
		if len(f.Bytes) == 0 || s.names != nil && !s.setDestination(s.queued, f.Bytes) {
			failed = blame(failed, f.IfIndex, s.name, unix.EINVAL)
			continue
		}
		if s.queued == 0 {
			p.pending = append(p.pending, s)
		}
		s.vectors[s.queued].Base = &f.Bytes[0]
		s.vectors[s.queued].SetLen(len(f.Bytes))
		s.queued++
		if s.queued == batchLen {
			n, err := s.flush()
			sent += n
			failed = blameAll(failed, s, batchLen-n, err)
		}
	}
	for _, s := range p.pending {
		queued := s.queued
		n, err := s.flush()
		sent += n
		failed = blameAll(failed, s, queued-n, err)
	}
	p.stats.Sent += uint64(sent)
	p.stats.Unsent += uint64(len(frames) - sent)
	return sent, joinSendErrors(failed)
}

// flush sends the queued frames, skipping those that the kernel refuses. It
// returns how many were sent and the first error.
func (s *txSocket) flush() (sent int, first error) {
	for at := 0; at < s.queued; {
		// A raw system call, because it does not block: 64 frames take less than
		// a millisecond.
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.messages[at])),
			uintptr(s.queued-at), unix.MSG_DONTWAIT, 0, 0)
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
	for i := range s.queued {
		s.vectors[i].Base = nil
	}
	s.queued = 0
	return sent, first
}

func blameAll(failed []*SendError, s *txSocket, unsent int, err error) []*SendError {
	for range unsent {
		failed = blame(failed, s.index, s.name, err)
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
