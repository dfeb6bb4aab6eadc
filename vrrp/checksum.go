package vrrp

import (
	"encoding/binary"
	"net/netip"
)

// sum adds the big-endian 16-bit words of b to acc (RFC 1071). Messages and
// addresses have an even length, and a message at most 4096 bytes, so that 32
// bits cannot overflow.
func sum(acc uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		acc += uint32(binary.BigEndian.Uint16(b))
	}
	return acc
}

// fold reduces a sum to 16 bits, carries added back in. A message whose own
// checksum is part of the sum folds to 0xffff when it is intact.
func fold(acc uint32) uint16 {
	for acc > 0xffff {
		acc = acc>>16 + acc&0xffff
	}
	return uint16(acc)
}

// pseudoSum sums the pseudo-header that is prepended to a message of length
// bytes. The layouts for IPv4 (RFC 793 §3.1) and IPv6 (RFC 8200 §8.1) differ
// only in zero bytes and so have one sum.
func pseudoSum(src, dst netip.Addr, length int) uint32 {
	return sumAddr(sumAddr(Protocol+uint32(length), src), dst)
}

func sumAddr(acc uint32, addr netip.Addr) uint32 {
	if addr.Is4() {
		b := addr.As4()
		return sum(acc, b[:])
	}
	b := addr.As16()
	return sum(acc, b[:])
}

// verify checks the checksum of a complete message and says which form it
// has. Version 2 sums the message alone (RFC 3768 §5.3.8). Version 3 over
// IPv6 adds the pseudo-header (RFC 9568 §5.2.8). Version 3 over IPv4 exists
// in both forms: RFC 5798 §5.2.8 could be read either way, RFC 9568 chose the
// message alone, and most implementations add the pseudo-header. verify
// accepts both.
func verify(msg []byte, p Packet) (form Checksum, ok bool) {
	plain := sum(0, msg)
	if msg[0]>>4 == 2 {
		return ChecksumRFC9568, fold(plain) == 0xffff
	}
	if fold(plain+pseudoSum(p.Source, p.Destination, len(msg))) == 0xffff {
		return ChecksumPseudo, true
	}
	return ChecksumRFC9568, FamilyOf(p.Source) == IPv4 && fold(plain) == 0xffff
}
