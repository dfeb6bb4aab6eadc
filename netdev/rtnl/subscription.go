package rtnl

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// subscriptionBuffer holds the longest message.
	subscriptionBuffer = 64 << 10
	// burstPause is for how long a reader that has read all of burstLen or more
	// messages leaves further ones in the queue. When somebody adds a thousand
	// addresses, the kernel would otherwise wake the reader for each, and that takes
	// as long as to add the address.
	burstPause = time.Millisecond
	burstLen   = 16
)

// A Subscription is a route netlink socket that receives what the kernel tells of
// changes. It reuses one buffer; the netlink library clears 64 KiB for each message.
type Subscription struct {
	file *os.File
	conn syscall.RawConn
	fd   int
	buf  []byte
	read int // messages since the last pause
}

// Subscribe opens a Subscription to groups (RTNLGRP_*, none above 32) in the network
// namespace of the calling thread.
func Subscribe(groups ...uint) (*Subscription, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open route netlink socket: %w", err)
	}
	address := &unix.SockaddrNetlink{Family: unix.AF_NETLINK}
	for _, g := range groups {
		address.Groups |= 1 << (g - 1)
	}
	if err := unix.Bind(fd, address); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("subscribe to route netlink groups: %w", err)
	}
	s := &Subscription{file: os.NewFile(uintptr(fd), "netlink"), fd: fd, buf: make([]byte, subscriptionBuffer)}
	if s.conn, err = s.file.SyscallConn(); err != nil {
		s.Close()
		return nil, fmt.Errorf("subscribe to route netlink groups: %w", err)
	}
	return s, nil
}

// Close ends the Subscription, and a Receive with it.
func (s *Subscription) Close() { s.file.Close() }

// SetReceiveBuffer sets the size of the queue in bytes, beyond the system's limit. It
// needs CAP_NET_ADMIN over the machine.
func (s *Subscription) SetReceiveBuffer(size int) error {
	return unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size)
}

// Discard discards what is in the queue; see [Drain].
func (s *Subscription) Discard() { Drain(s.fd) }

// Receive waits for messages of the kernel and returns them; none if somebody else
// sent them. They are valid until the next call. With a limit, it returns EAGAIN
// when that has passed. ENOBUFS says that the kernel dropped messages.
func (s *Subscription) Receive(limit time.Duration) ([]syscall.NetlinkMessage, error) {
	var end time.Time
	if limit > 0 {
		end = time.Now().Add(limit)
	}
	if err := s.file.SetReadDeadline(end); err != nil {
		return nil, err
	}
	n, pid, err := s.next()
	if err != nil || pid != 0 {
		return nil, err
	}
	return syscall.ParseNetlinkMessage(s.buf[:n])
}

func (s *Subscription) next() (n int, pid uint32, err error) {
	var from unix.Sockaddr
	var problem error
	err = s.conn.Read(func(fd uintptr) (done bool) {
		for {
			n, from, problem = unix.Recvfrom(int(fd), s.buf, 0)
			switch {
			case problem == unix.EINTR:
			case problem == unix.EAGAIN && s.read >= burstLen:
				s.read = 0
				time.Sleep(burstPause)
			default:
				return problem != unix.EAGAIN
			}
		}
	})
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, 0, unix.EAGAIN
	case err != nil:
		return 0, 0, err
	case problem != nil:
		return 0, 0, problem
	}
	s.read++
	if from, ok := from.(*unix.SockaddrNetlink); ok {
		pid = from.Pid
	}
	return n, pid, nil
}
