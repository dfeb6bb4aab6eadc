package port

import (
	"fmt"
	"unsafe"

	"holdfast/netdev/frame"

	"golang.org/x/sys/unix"
)

// openRouted makes the raw socket through which IP packets leave an interface.
// The kernel routes the packets, through this interface only, and finds the
// neighbour's Ethernet address. A socket of protocol 255 receives nothing
// (raw(7)).
func openRouted(l Listen, v6 bool) (*txSocket, error) {
	family := unix.AF_INET
	if v6 {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_RAW)
	if err != nil {
		return nil, fmt.Errorf("open raw socket for unicast: %w", err)
	}
	if err := unix.BindToDevice(fd, l.Name); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind raw socket to %s: %w", l.Name, err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, 7)
	// Packets for a neighbour that does not answer stay in the buffer for seconds, up to a
	// hundred for each. The others need room meanwhile.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, receiveBuffer)
	return newRouted(fd, l), nil
}

func newRouted(fd int, l Listen) *txSocket {
	s := newTx(fd, l)
	s.names = new([batchLen]unix.RawSockaddrInet6)
	for i := range s.messages {
		s.messages[i].header.Name = (*byte)(unsafe.Pointer(&s.names[i]))
	}
	return s
}

// setDestination copies the destination of an IP packet into slot i. It reports
// false if the bytes are not an IP packet.
func (s *txSocket) setDestination(i int, packet []byte) bool {
	h := &s.messages[i].header
	switch {
	case len(packet) >= frame.IPv4Len && packet[0]>>4 == 4:
		name := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.names[i]))
		*name = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: [4]byte(packet[16:20])}
		h.Namelen = unix.SizeofSockaddrInet4
	case len(packet) >= frame.IPv6Len && packet[0]>>4 == 6:
		s.names[i] = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: [16]byte(packet[24:40]), Scope_id: uint32(s.index)}
		h.Namelen = unix.SizeofSockaddrInet6
	default:
		return false
	}
	return true
}

// socketFor returns the socket that a frame leaves through, nil if it is not
// open.
func (s *txSocket) socketFor(f *Frame) *txSocket {
	switch {
	case !f.Routed:
		return s
	case len(f.Bytes) > 0 && f.Bytes[0]>>4 == 6:
		return s.routed[1]
	}
	return s.routed[0]
}

// setRouted opens and closes the raw sockets for unicast.
func (s *txSocket) setRouted(l Listen) error {
	for i, want := range [2]bool{l.Unicast && l.IPv4, l.Unicast && l.IPv6} {
		switch have := s.routed[i]; {
		case want && have == nil:
			var err error
			if s.routed[i], err = openRouted(l, i == 1); err != nil {
				return err
			}
		case !want && have != nil:
			unix.Close(have.fd)
			s.routed[i] = nil
		}
	}
	return nil
}

func (s *txSocket) close() {
	unix.Close(s.fd)
	for _, r := range s.routed {
		if r != nil {
			unix.Close(r.fd)
		}
	}
}
