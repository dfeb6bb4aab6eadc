package port

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// repeatRounds bounds how often a socket is read in a row during a wait.
	repeatRounds = 64
	// repeatData and repeatControl are the lengths of the longest datagram that can be
	// expected, and of its longest ancillary data.
	repeatData    = 32
	repeatControl = 128
	// The time is in ancillary data that begin with it: a struct cmsghdr, and then a
	// struct __kernel_timespec.
	stampBegin = unix.SizeofCmsghdr
	stampEnd   = stampBegin + 16
)

// An MMsghdr is a struct mmsghdr of recvmmsg(2).
type MMsghdr struct {
	Header unix.Msghdr
	Length uint32
}

// A Repeats is a socket that Receive reads while it waits, without its return: see ahead. It
// goes on waiting as long as all datagrams repeat the one that is expected, and one came
// within a time. All that counts of those is when they arrived and how many there were.
type Repeats struct {
	name    [unix.SizeofSockaddrInet6]byte
	data    [repeatData]byte
	control [repeatControl]byte
	lengths [3]uint32 // of these in use

	fd    int
	keep  int64 // the wait goes on for so long after a datagram
	until int64 // it ends then
	since int64 // nothing had arrived then that was not read
	heard int64 // when the latest arrived
	count int   // of those that have been read in this wait
	clock *clock
}

// Expect says which datagram the next ones are to repeat: that of a message, with its source and
// its ancillary data. It reports false if these do not begin with the time (SO_TIMESTAMPNS_NEW),
// or are too long.
func (e *Repeats) Expect(m *MMsghdr) bool {
	n := [3]uint32{m.Header.Namelen, m.Length, uint32(m.Header.Controllen)}
	if n[0] > uint32(len(e.name)) || n[1] > repeatData || n[2] > repeatControl || n[2] < stampEnd || m.Header.Flags != 0 {
		return false
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(m.Header.Control))
	if h.Level != unix.SOL_SOCKET || h.Type != unix.SO_TIMESTAMPNS_NEW || h.Len != stampEnd {
		return false
	}
	e.lengths = n
	copy(e.name[:n[0]], unsafe.Slice(m.Header.Name, n[0]))
	copy(e.data[:n[1]], unsafe.Slice(m.Header.Iov.Base, n[1]))
	copy(e.control[:n[2]], unsafe.Slice(m.Header.Control, n[2]))
	return true
}

// Received returns how many repetitions the last wait has read, when the latest arrived,
// until when the socket was read last, and when the wait was to end for want of others.
func (e *Repeats) Received() (n int, latest, emptied, until time.Time) {
	return e.count, e.clock.time(e.heard), e.clock.time(e.since), e.clock.time(e.until)
}

// ReceiveAhead has the next Receive read a socket at a time, into messages, if it is still
// waiting then, and go on as long as a repetition came within keep. emptied is when the
// socket was read last. Receive returns when something else came. It reports false if
// that is not possible on this system. Only the goroutine that calls Receive may call it. All
// sockets of a wait share messages, whose names have 28 bytes and whose control data have 128.
func (p *Port) ReceiveAhead(e *Repeats, fd int, at time.Time, keep time.Duration, emptied time.Time, messages []MMsghdr) bool {
	if !canSendAhead || p.noNS {
		return false
	}
	a := &p.ahead
	a.renew()
	e.clock = &p.clock
	e.fd, e.keep, e.count = fd, int64(keep), 0
	e.until, e.since = p.clock.monotonic(at), p.clock.monotonic(emptied)
	e.heard = e.since
	a.repeats, a.messages = append(a.repeats, e), messages
	if a.receiveAt == 0 || e.until < a.receiveAt {
		a.receiveAt = e.until
	}
	return true
}

// ReceivedAhead returns the messages that ended the last Receive, since the first of them
// does not repeat what was expected; nil: there are none.
func (p *Port) ReceivedAhead() (e *Repeats, from, to int) {
	if a := &p.ahead; a.left >= 0 && a.left < len(a.repeats) && a.to > 0 {
		return a.repeats[a.left], a.from, a.to
	}
	return nil, 0, 0
}

// receive reads all sockets that are to be read. It reports false if the wait is over.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (a *ahead) receive() bool {
	now := monotonic()
	ahead := now - realtime()
	if monotonic()-now > int64(aheadTolerance) {
		return false // the two were not read at one moment
	}
	a.receiveAt = 0
	for i := range a.repeats {
		e := a.repeats[i]
		if !a.read(e, now, ahead) {
			a.left = i
			return false
		}
		if a.receiveAt == 0 || e.until < a.receiveAt {
			a.receiveAt = e.until
		}
	}
	return a.receiveAt > now
}

// read reads a socket. ahead is by what the monotonic clock differs from that of time
// stamps. It reports false at a message that was not expected.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (a *ahead) read(e *Repeats, now, ahead int64) bool {
	for range repeatRounds {
		for i := range a.messages {
			h := &a.messages[i].Header
			h.Namelen, h.Controllen, h.Flags = unix.SizeofSockaddrInet6, repeatControl, 0
		}
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(e.fd), uintptr(unsafe.Pointer(&a.messages[0])),
			uintptr(len(a.messages)), unix.MSG_DONTWAIT, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 { // there is none
			e.since = now
			return true
		}
		for i := range int(n) {
			m := &a.messages[i]
			if !e.repeated(m) {
				a.from, a.to = i, int(n)
				return false
			}
			e.arrived(min(max(stampOf(m)+ahead, e.since), now))
		}
		if int(n) < len(a.messages) {
			e.since = now
			return true
		}
	}
	return true
}

// arrived takes note of a repetition.
//
//go:nosplit
//go:norace
func (e *Repeats) arrived(at int64) {
	e.count++
	e.heard, e.until = max(e.heard, at), max(e.until, at+e.keep)
}

// repeated reports whether a message is as expected, but for its time.
//
//go:nosplit
//go:norace
//go:nocheckptr
func (e *Repeats) repeated(m *MMsghdr) bool {
	h := &m.Header
	if h.Namelen != e.lengths[0] || m.Length != e.lengths[1] || uint32(h.Controllen) != e.lengths[2] || h.Flags != 0 {
		return false
	}
	control := unsafe.Pointer(h.Control)
	return equal(unsafe.Pointer(h.Name), unsafe.Pointer(&e.name), 0, uintptr(e.lengths[0])) &&
		equal(unsafe.Pointer(h.Iov.Base), unsafe.Pointer(&e.data), 0, uintptr(e.lengths[1])) &&
		equal(control, unsafe.Pointer(&e.control), 0, stampBegin) &&
		equal(control, unsafe.Pointer(&e.control), stampEnd, uintptr(e.lengths[2]))
}

// equal compares two pieces of memory.
//
//go:nosplit
//go:norace
//go:nocheckptr
func equal(a, b unsafe.Pointer, from, to uintptr) bool {
	for i := from; i < to; i++ {
		if *(*byte)(unsafe.Add(a, i)) != *(*byte)(unsafe.Add(b, i)) {
			return false
		}
	}
	return true
}

// stampOf returns the time of a message that has one.
//
//go:nosplit
//go:norace
//go:nocheckptr
func stampOf(m *MMsghdr) int64 {
	t := (*[2]int64)(unsafe.Add(unsafe.Pointer(m.Header.Control), stampBegin))
	return t[0]*1e9 + t[1]
}
