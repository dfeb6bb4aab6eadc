package port

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// aheadTolerance is how late a datagram may be that leaves during a wait. A later one is
// left to the caller of Receive, who wants to know that it is late.
const aheadTolerance = time.Millisecond

// An ahead is what leaves and what is received while Receive waits, without its return.
//
// To return from a wait costs several times as much as to send a datagram: Go's scheduler
// wakes its monitor thread up for it, and that takes the right to run from a goroutine
// which had it for 10 ms, although it slept most of the time (runtime.sysmon,
// runtime.retake).
type ahead struct {
	shots  []shot // in the order of their moments
	sent   int    // how many have left, one that failed included
	failed unix.Errno
	over   bool  // the wait is over
	end    int64 // of the wait; 0: never. All moments are by CLOCK_MONOTONIC

	repeats   []*Repeats
	receiveAt int64 // when they are read; 0: there are none
	messages  []MMsghdr
	// the socket at the index left has ended the wait with the messages from … to; to = 0: none has.
	left, from, to int
}

// A shot is a datagram with its moment.
type shot struct {
	at      int64
	fd      int
	message *unix.Msghdr
}

// SendAhead has the next Receive send a datagram while it waits, and go on waiting. The
// datagrams must be added in the order of their moments. What has not left when Receive
// returns is forgotten. It reports false if that is not possible on this system. Only
// the goroutine that calls Receive may call it; the descriptor and the message must stay
// as they are until Receive returns.
func (p *Port) SendAhead(at time.Time, fd int, message *unix.Msghdr) bool {
	if !canSendAhead || p.noNS {
		return false
	}
	a := &p.ahead
	a.renew()
	a.shots = append(a.shots, shot{p.clock.monotonic(at), fd, message})
	return true
}

// SentAhead returns how many of the datagrams have left during the last Receive, from the
// first, and why the kernel refused the last of these; 0: it did not.
func (p *Port) SentAhead() (n int, failed unix.Errno) { return p.ahead.sent, p.ahead.failed }

// until prepares a wait that ends after a time; nil is never.
func (a *ahead) until(timeout *unix.Timespec) {
	a.end = 0
	if timeout != nil {
		a.end = monotonic() + timeout.Nano()
	}
}

// finish ends the wait. A port whose caller adds nothing sends nothing in the next one.
func (a *ahead) finish() {
	a.renew()
	a.over = true
}

// renew forgets a plan whose wait is over.
func (a *ahead) renew() {
	if a.over {
		*a = ahead{shots: a.shots[:0], repeats: a.repeats[:0]}
	}
}

// fresh reports whether there is something to do in the next wait.
func (a *ahead) fresh() bool { return !a.over && (a.sent < len(a.shots) || a.receiveAt != 0) }

// away returns how long it is until there is.
func (a *ahead) away() time.Duration {
	at, _ := a.next()
	return time.Duration(at - monotonic())
}

// An action is what is done during a wait.
type action uint8

const (
	doNothing action = iota
	doSend
	doReceive
)

// next returns what is to do before the wait ends, and when.
//
//go:nosplit
//go:norace
func (a *ahead) next() (at int64, what action) {
	if a.sent < len(a.shots) {
		at, what = a.shots[a.sent].at, doSend
	}
	if a.receiveAt != 0 && (what == doNothing || a.receiveAt < at) {
		at, what = a.receiveAt, doReceive
	}
	if a.end != 0 && (what == doNothing || at >= a.end) {
		return a.end, doNothing
	}
	return at, what
}

// do carries out an action. It reports false if the wait is over.
//
//go:nosplit
//go:norace
func (a *ahead) do(what action) bool {
	if what == doSend {
		return a.fire()
	}
	return a.receive()
}

// fire sends the datagrams of one moment. It reports false if one could not be sent.
//
//go:nosplit
//go:norace
func (a *ahead) fire() bool {
	for at := a.shots[a.sent].at; a.sent < len(a.shots) && a.shots[a.sent].at == at; {
		s := &a.shots[a.sent]
		_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(s.fd), uintptr(unsafe.Pointer(s.message)), unix.MSG_DONTWAIT)
		if errno == unix.EINTR {
			continue
		}
		a.sent++
		if errno != 0 {
			a.failed = errno
			return false
		}
	}
	return true
}

// wait waits in epoll, and does what is to do meanwhile. It returns no event and no error
// when the wait is over, when a datagram could not be sent or was not expected, and when
// something is late.
//
//go:nosplit
//go:norace
func (a *ahead) wait(set int, events *unix.EpollEvent, n int) (int, unix.Errno) {
	for {
		var timeout [2]int64 // struct __kernel_timespec
		limit := &timeout
		at, what := a.next()
		left := at - monotonic()
		switch {
		case what == doNothing && a.end == 0:
			limit = nil
		case what != doNothing && left < -int64(aheadTolerance):
			return 0, 0
		case what != doNothing && left <= 0:
			if !a.do(what) {
				return 0, 0
			}
			continue
		default:
			left = max(left, 0)
			timeout[0], timeout[1] = left/1e9, left%1e9
		}
		got, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(set), uintptr(unsafe.Pointer(events)),
			uintptr(n), uintptr(unsafe.Pointer(limit)), 0, 0)
		if errno != 0 || got != 0 || what == doNothing {
			return int(got), errno
		}
	}
}
