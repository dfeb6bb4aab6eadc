// Package poll waits for many sockets in one goroutine.
//
// Go's own poller wakes a goroutine for each socket, which costs more than a short
// check itself. A [Poller] is an epoll instance (epoll(7)) that Go's poller watches like
// one file: the goroutine that waits for it wakes once for all sockets that are ready.
package poll

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What a socket can be waited for. Each is told once, when it becomes so.
const (
	Readable = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET
	Writable = unix.EPOLLOUT | unix.EPOLLET
)

// batch is how many sockets one call of Wait returns at most.
const batch = 256

// A Poller waits for sockets. One goroutine calls Add, Remove and Wait; Until and Close may
// be called by any. Nothing may be added after Close.
type Poller struct {
	file   *os.File
	epoll  int // of file
	raw    syscall.RawConn
	take   func(epoll uintptr) bool // looks: made once, because each method value is garbage
	events [batch]unix.EpollEvent
	ready  []int
}

// Open returns a poller without sockets.
func Open() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // os.NewFile asks for it
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	file := os.NewFile(uintptr(fd), "epoll")
	raw, err := file.SyscallConn()
	if err == nil {
		err = file.SetReadDeadline(time.Time{}) // fails if Go's poller does not watch it
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("watch an epoll instance: %w", err), file.Close())
	}
	p := &Poller{file: file, epoll: fd, raw: raw, ready: make([]int, 0, batch)}
	p.take = p.look
	return p, nil
}

// Add has Wait tell when a socket becomes what events name. Closing the socket ends it.
func (p *Poller) Add(fd int, events uint32) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}))
}

// Until makes Wait return at a time, also one that waits already; the zero time: never
// without a socket.
func (p *Poller) Until(at time.Time) {
	_ = p.file.SetReadDeadline(at) // it worked in Open
}

// Remove ends what Add began, for a socket that stays open.
func (p *Poller) Remove(fd int) {
	_ = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_DEL, fd, nil) // nobody waits for it any more, so no error matters
}

// Wait returns the sockets that have become ready; none if the time of Until has come,
// or the Poller is closed. The next call overwrites the result.
func (p *Poller) Wait() []int {
	p.ready = p.ready[:0]
	if err := p.raw.Read(p.take); err != nil {
		// With its time over, Read does not look.
		_ = p.raw.Control(func(epoll uintptr) { p.take(epoll) })
	}
	return p.ready
}

// look notes which sockets are ready, and reports whether any is.
func (p *Poller) look(epoll uintptr) bool {
	n, err := unix.EpollWait(int(epoll), p.events[:], 0)
	for i := range max(n, 0) {
		p.ready = append(p.ready, int(p.events[i].Fd))
	}
	return n != 0 || err != nil
}

// Close ends Wait. The sockets stay open.
func (p *Poller) Close() error { return p.file.Close() }
