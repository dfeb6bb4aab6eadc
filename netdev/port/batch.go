package port

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"holdfast/netdev/frame"
)

// mmsghdr is struct mmsghdr of recvmmsg(2) and sendmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

// A batch is the memory that packets are received into.
type batch struct {
	messages [batchLen]mmsghdr
	vectors  [batchLen]unix.Iovec
	names    [batchLen]unix.RawSockaddrInet6 // large enough for both families
	data     []byte
	control  []byte
}

func newBatch() *batch {
	b := &batch{data: make([]byte, batchLen*packetLen), control: make([]byte, batchLen*controlLen)}
	for i := range b.messages {
		b.vectors[i].Base = &b.data[i*packetLen]
		b.vectors[i].SetLen(packetLen)
		h := &b.messages[i].header
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Control = &b.control[i*controlLen]
	}
	return b
}

// read fills slots from first on, and returns how many it filled.
func (b *batch) read(fd, first int) (int, error) {
	for i := first; i < batchLen; i++ {
		h := &b.messages[i].header
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(controlLen)
		h.Flags = 0
	}
	for {
		// A raw system call, because it does not block.
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.messages[first])),
			uintptr(batchLen-first), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
			continue
		}
		return 0, errno
	}
}

// packet reads slot i.
func (b *batch) packet(i int, s *rxSocket) (Packet, bool) {
	m := &b.messages[i]
	if m.header.Flags&unix.MSG_TRUNC != 0 {
		return Packet{}, false
	}
	data := b.data[i*packetLen:][:m.length:m.length]
	p := Packet{IfIndex: s.index}
	var ok bool
	switch s.kind {
	case rx6:
		p.Packet, ok = parse6(data, b.names[i].Addr, b.control[i*controlLen:][:m.header.Controllen])
	case rxAH:
		p.Packet, ok = frame.ParseIPv4AH(data)
	default:
		p.Packet, ok = frame.ParseIPv4(data)
	}
	return p, ok
}

// parse6 reads what a raw IPv6 socket delivers: the payload, the source address,
// and control messages with the hop limit and the destination.
func parse6(b []byte, source [16]byte, control []byte) (frame.Packet, bool) {
	p := frame.Packet{Source: netip.AddrFrom16(source), Payload: b}
	var hops, destination bool
	for len(control) >= unix.SizeofCmsghdr {
		h, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		switch {
		case h.Level != unix.IPPROTO_IPV6:
		case h.Type == unix.IPV6_HOPLIMIT && len(data) >= 4:
			p.HopLimit, hops = uint8(binary.NativeEndian.Uint32(data)), true
		case h.Type == unix.IPV6_PKTINFO && len(data) >= 16:
			p.Destination, destination = netip.AddrFrom16([16]byte(data)), true
		}
		control = rest
	}
	return p, hops && destination
}
