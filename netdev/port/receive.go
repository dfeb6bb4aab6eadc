package port

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Receive appends the packets that have arrived to into, and returns it. It
// blocks until there is one, until the deadline (the zero time means never), until
// Wake is called, or until a watched descriptor can be read. Payloads are valid until the next call. An error is
// final: the port cannot be used any more.
func (p *Port) Receive(deadline time.Time, into []Packet) ([]Packet, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return into, ErrClosed
	}
	p.waiting = true
	p.mu.Unlock()
	n, err := p.wait(deadline)
	p.ahead.finish()
	p.mu.Lock()
	p.waiting = false
	if p.closed {
		p.finish()
		return into, ErrClosed
	}
	if err != nil {
		return into, fmt.Errorf("wait for packets: %w", err)
	}
	return p.collect(p.events[:n], into), nil
}

// collect reads what has arrived, and appends it to into.
func (p *Port) collect(events []unix.EpollEvent, into []Packet) []Packet {
	filled := 0
	for _, ev := range events {
		if int(ev.Fd) == p.wake {
			_, _ = unix.Read(p.wake, p.wakeBytes[:])
			continue
		}
		if ready := p.watched[ev.Fd]; ready != nil {
			ready()
			continue
		}
		s := p.rx[ev.Fd]
		if s == nil || filled == batchLen { // closed meanwhile, or left for the next call
			continue
		}
		// An error here is the interface's (ENETDOWN, ENODEV). Reading has cleared
		// it, and a netdev.Watcher reports its cause.
		got, _ := p.batch.read(s.fd, filled)
		for i := filled; i < filled+got; i++ {
			if packet, ok := p.batch.packet(i, s); ok {
				into = append(into, packet)
				p.stats.Received++
			} else {
				p.stats.Malformed++
			}
		}
		filled += got
	}
	if filled > 0 {
		p.rush.arrived(time.Now(), filled)
	}
	return into
}

// wait blocks in epoll until the deadline, exact to the nanosecond. epoll_wait(2)
// rounds to milliseconds, a tenth of an advertisement interval of 10 ms.
func (p *Port) wait(deadline time.Time) (int, error) {
	for {
		var ts unix.Timespec
		timeout := &ts
		var left time.Duration
		if deadline.IsZero() {
			timeout = nil
		} else {
			left = max(time.Until(deadline), 0)
		}
		naps := p.rush.naps(left, timeout == nil)
		if p.ahead.fresh() {
			naps = p.rush.naps(min(left, p.ahead.away()), false)
			naps.after = nil
		}
		naps.urgent = int32(p.wake)
		if naps.before != nil || naps.after != nil {
			left = max(left-rushGap, 0) // the caller waits for the rest, without a nap
		}
		ts = unix.NsecToTimespec(int64(left))
		n, errno := p.epollWait(timeout, naps)
		p.rush.on = false
		switch errno {
		case 0:
			return n, nil
		case unix.EINTR:
			continue
		}
		return 0, errno
	}
}

func (p *Port) epollWait(timeout *unix.Timespec, naps naps) (n int, errno unix.Errno) {
	if p.ahead.fresh() {
		p.ahead.until(timeout)
		n, errno = epollAhead(p.epoll, &p.events[0], len(p.events), &p.ahead, naps)
		if !missing(errno) {
			return n, errno
		}
		p.noNS = true
		return 0, 0 // the caller makes another plan
	}
	if !p.noNS {
		n, errno = epollPwait2(p.epoll, &p.events[0], len(p.events), timeout, naps)
		if !missing(errno) {
			return n, errno
		}
		p.noNS = true
	}
	// An epoll set can itself be polled, and ppoll(2) takes nanoseconds.
	set := [1]unix.PollFd{{Fd: int32(p.epoll), Events: unix.POLLIN}}
	if _, err := unix.Ppoll(set[:], timeout, nil); err != nil {
		return 0, errnoOf(err)
	}
	n, err := unix.EpollWait(p.epoll, p.events, 0)
	if err != nil {
		return 0, errnoOf(err)
	}
	return n, 0
}

// missing reports whether epoll_pwait2 is not there: it came with Linux 5.11, and a sandbox
// whose list is older, such as that of systemd 245 in our unit file, refuses it.
func missing(errno unix.Errno) bool { return errno == unix.ENOSYS || errno == unix.EPERM }

// errnoOf returns the error number of a system call.
func errnoOf(err error) unix.Errno {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return unix.EIO
	}
	return errno
}
