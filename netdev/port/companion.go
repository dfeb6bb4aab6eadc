package port

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Watch has Receive return when a descriptor of somebody else can be read, too. It
// calls ready for the descriptor each time, with the port locked: ready takes a
// note, and what waits is read after Receive has returned. Unwatch must be called
// before the descriptor is closed.
func (p *Port) Watch(fd int, ready func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return fmt.Errorf("watch descriptor %d: %w", fd, ErrClosed)
	}
	if err := p.watch(fd); err != nil {
		return err
	}
	p.watched[int32(fd)] = ready
	return nil
}

// Unwatch undoes Watch. It is no error if the descriptor is not watched.
func (p *Port) Unwatch(fd int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.watched[int32(fd)] == nil {
		return
	}
	delete(p.watched, int32(fd))
	if !p.closed {
		_ = unix.EpollCtl(p.epoll, unix.EPOLL_CTL_DEL, fd, nil) // fails only if it is gone
	}
}
