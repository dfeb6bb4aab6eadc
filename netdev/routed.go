package netdev

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// NewAdvertPacket returns an AdvertFrame whose frames are Routed: IP packets
// from source to the unicast address destination, without an Ethernet header.
// Both addresses must be of one family.
func NewAdvertPacket(source, destination netip.Addr) (*AdvertFrame, error) {
	source, destination = source.Unmap().WithZone(""), destination.Unmap().WithZone("")
	if !source.IsValid() || source.Is4() != destination.Is4() {
		return nil, fmt.Errorf("build advert packet from %v to %v: not two addresses of one family", source, destination)
	}
	if destination.IsMulticast() {
		return nil, fmt.Errorf("build advert packet to %v: a multicast address", destination)
	}
	return newAdvertFrame(MAC{}, source, destination, 0)
}

// openRouted makes the raw socket through which packets with their own IP
// header leave an interface; the kernel routes them, through this interface
// alone, and finds the neighbour. A socket of protocol 255 receives nothing
// (raw(7)).
func openRouted(l Listen, v6 bool) (*mouth, error) {
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
	return newRouted(fd, l), nil
}

func newRouted(fd int, l Listen) *mouth {
	m := newMouth(fd, l)
	m.names = new([batchLen]unix.RawSockaddrInet6)
	for i := range m.messages {
		m.messages[i].header.Name = (*byte)(unsafe.Pointer(&m.names[i]))
	}
	return m
}

// address notes where the packet that is queued at slot i goes. It reports
// false if the bytes are no IP packet of the socket's family.
func (m *mouth) address(i int, packet []byte) bool {
	h := &m.messages[i].header
	switch {
	case len(packet) >= ipv4Len && packet[0]>>4 == 4:
		name := (*unix.RawSockaddrInet4)(unsafe.Pointer(&m.names[i]))
		*name = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: [4]byte(packet[16:20])}
		h.Namelen = unix.SizeofSockaddrInet4
	case len(packet) >= ipv6Len && packet[0]>>4 == 6:
		m.names[i] = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: [16]byte(packet[24:40]), Scope_id: uint32(m.index)}
		h.Namelen = unix.SizeofSockaddrInet6
	default:
		return false
	}
	return true
}

// way returns the mouth through which a frame leaves.
func (m *mouth) way(f *Frame) *mouth {
	switch {
	case !f.Routed:
		return m
	case len(f.Bytes) > 0 && f.Bytes[0]>>4 == 6:
		return m.routed[1]
	}
	return m.routed[0]
}

// openWays opens and closes what an interface needs for unicast.
func (m *mouth) openWays(l Listen) error {
	for i, want := range [2]bool{l.Unicast && l.IPv4, l.Unicast && l.IPv6} {
		switch have := m.routed[i]; {
		case want && have == nil:
			var err error
			if m.routed[i], err = openRouted(l, i == 1); err != nil {
				return err
			}
		case !want && have != nil:
			unix.Close(have.fd)
			m.routed[i] = nil
		}
	}
	return nil
}

func (m *mouth) close() {
	unix.Close(m.fd)
	for _, r := range m.routed {
		if r != nil {
			unix.Close(r.fd)
		}
	}
}

// parseAH takes the authentication header of RFC 4302 off a packet that a raw
// socket for it gave, and hands out the whole datagram beside.
func parseAH(b []byte) (Packet, bool) {
	p, ok := parseIPv4(b, protocolAH)
	if !ok || len(p.Payload) < ahFixedLen || p.Payload[0] != protocolVRRP {
		return Packet{}, false
	}
	n := (int(p.Payload[1]) + 2) * 4 // in words, less two
	if n < ahFixedLen || n > len(p.Payload) {
		return Packet{}, false
	}
	p.Payload = p.Payload[n:]
	p.Datagram = b[:binary.BigEndian.Uint16(b[2:])]
	return p, true
}

const (
	protocolAH = 51
	ahFixedLen = 12 // up to the integrity check value
)
