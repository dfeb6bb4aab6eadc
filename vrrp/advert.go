package vrrp

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Layout of a message, in bytes.
const (
	headerLen = 8 // up to the first address, in both versions
	authLen   = 8 // authentication data after the addresses, version 2 only

	// MaxMessageLen is the length of the longest message: version 3, IPv6 and
	// 255 addresses.
	MaxMessageLen = headerLen + MaxAddresses*16

	// TypeAdvert is the type of an ADVERTISEMENT, in the lower half of a message's first
	// byte. It is the only type of the RFCs.
	TypeAdvert   = 1
	typeBackup   = 2 // BACKUP ADVERTISEMENT (draft-ietf-rtgwg-vrrp-bfd-p2p)
	authNone     = 0 // the only authentication type of RFC 3768
	centisecond  = 10 * time.Millisecond
	intervalMask = 0x0fff // the upper four bits are reserved
)

// A Packet is a VRRP message as the IP layer delivers it.
type Packet struct {
	Source, Destination netip.Addr
	HopLimit            uint8  // TTL or hop limit
	Payload             []byte // from the VRRP header on, up to the end of the IP packet
}

// An Advert is the content of an ADVERTISEMENT, the only message of VRRP
// (RFC 3768 §5.1, RFC 9568 §5.1), or of a BACKUP ADVERTISEMENT, which has the same
// fields.
type Advert struct {
	Version  uint8 // 2 or 3
	VRID     uint8
	Priority uint8
	// Backup is set in a BACKUP ADVERTISEMENT: see Config.Fast.
	Backup bool
	// Answer is set in a BACKUP ADVERTISEMENT that answers another one. Its Interval is
	// zero.
	Answer bool
	// Interval is whole seconds up to 255 s in version 2, whole centiseconds up to
	// 40.95 s in version 3. Only that of an Answer is zero.
	Interval time.Duration
	// AuthType is the authentication type of a version 2 message: 0, or 1 and 2 of
	// RFC 2338 §5.3.6. AuthData is zero unless the type is 1.
	AuthType  uint8
	AuthData  [authLen]byte
	Addresses []netip.Addr // of the family that carries the message
	// Origin is the address that the sender has on its first path. It is behind the
	// messages on further paths only: see PathConfig. The zero Addr means none.
	Origin netip.Addr
	// Checksum is the form in which a received version 3 message over IPv4 was
	// summed. Append does not read it.
	Checksum Checksum
}

// Peek returns the version and VRID of a message without any check, so that
// the router it is for can be found before it is decoded. ok is false if the
// payload is too short.
func Peek(payload []byte) (version, vrid uint8, ok bool) {
	if len(payload) < 2 {
		return 0, 0, false
	}
	return payload[0] >> 4, payload[1], true
}

// Append appends the message to b and returns the extended slice. src and dst
// are the addresses of the IP header, which the checksum covers. form matters
// only for version 3 over IPv4. The fields must be in the ranges of
// Config.Validate.
func (a *Advert) Append(b []byte, src, dst netip.Addr, form Checksum) []byte {
	start := len(b)
	kind := uint8(TypeAdvert)
	if a.Backup {
		kind = typeBackup
	}
	b = append(b, a.Version<<4|kind, a.VRID, a.Priority, uint8(len(a.Addresses)))
	if a.Version == 2 {
		b = append(b, a.AuthType, uint8(a.Interval/time.Second))
	} else {
		b = binary.BigEndian.AppendUint16(b, uint16(a.Interval/centisecond))
	}
	b = append(b, 0, 0)
	for _, addr := range a.Addresses {
		if addr.Is4() {
			v4 := addr.As4()
			b = append(b, v4[:]...)
		} else {
			v6 := addr.As16()
			b = append(b, v6[:]...)
		}
	}
	if a.Version == 2 {
		b = append(b, a.AuthData[:]...)
	}
	end := len(b)
	if a.Origin.IsValid() {
		b = appendOrigin(b, a.Origin)
		if FamilyOf(src) == IPv6 {
			end = len(b) // see summed
		}
	}
	msg := b[start:end]
	acc := sum(0, msg)
	if a.Version == 3 && (FamilyOf(src) == IPv6 || form == ChecksumPseudo) {
		acc += pseudoSum(src, dst, len(msg))
	}
	binary.BigEndian.PutUint16(msg[6:], ^fold(acc))
	return b
}

// Decode reads the message of p into a and makes every check that needs no
// configuration, in the order of RFC 3768 §7.1 and RFC 9568 §7.1. It returns
// DropNone, or the first check that failed; a is then undefined. It reuses
// the capacity of a.Addresses and keeps no part of p.
//
// The count of addresses determines where the message ends. Bytes behind it,
// such as the padding of a short Ethernet frame, are ignored.
func Decode(p Packet, a *Advert) Drop {
	// Unicast adverts may have crossed routers: see PeerConfig.
	if p.Destination.IsMulticast() && p.HopLimit != HopLimit {
		return DropHopLimit
	}
	if len(p.Payload) == 0 {
		return DropLength
	}
	family, version := FamilyOf(p.Source), p.Payload[0]>>4
	if version != 3 && (version != 2 || family == IPv6) {
		return DropVersion
	}
	kind := p.Payload[0] & 0x0f
	if kind != TypeAdvert && kind != typeBackup {
		return DropType
	}
	msg := complete(p.Payload, version, family)
	if msg == nil {
		return DropLength
	}
	form, ok := verify(summed(msg, p), p)
	if !ok {
		return DropChecksum
	}
	a.Version, a.VRID, a.Priority, a.Checksum = version, msg[1], msg[2], form
	a.Backup = kind == typeBackup
	if version == 2 {
		a.AuthType, a.AuthData = msg[4], [authLen]byte(msg[len(msg)-authLen:])
		a.Interval = time.Duration(msg[5]) * time.Second
	} else {
		a.AuthType, a.AuthData = authNone, [authLen]byte{}
		a.Interval = time.Duration(binary.BigEndian.Uint16(msg[4:])&intervalMask) * centisecond
	}
	a.decodeAddresses(msg, family)
	a.Origin = originBehind(msg, p.Payload)
	a.Answer = a.Backup && a.Interval == 0
	// With an interval of zero every BACKUP would take over at once.
	if a.Interval == 0 && !a.Answer {
		return DropInterval
	}
	return DropNone
}

// complete returns the message at the start of payload, without the bytes
// behind it. It returns nil if the payload ends before the message does.
func complete(payload []byte, version uint8, family Family) []byte {
	if len(payload) < headerLen {
		return nil
	}
	n := headerLen + int(payload[3])*addrLen(family)
	if version == 2 {
		n += authLen
	}
	if len(payload) < n {
		return nil
	}
	return payload[:n]
}

// MessageLen returns the length of our messages in bytes, without what
// authentication adds in front or behind.
func (c *Config) MessageLen() int {
	n := headerLen + len(c.Addresses)*addrLen(c.Family)
	if c.Version == 2 {
		n += authLen
	}
	return n
}

func addrLen(f Family) int {
	if f == IPv4 {
		return 4
	}
	return 16
}

func (a *Advert) decodeAddresses(msg []byte, family Family) {
	a.Addresses = a.Addresses[:0]
	rest := msg[headerLen:]
	for range msg[3] {
		if family == IPv4 {
			a.Addresses = append(a.Addresses, netip.AddrFrom4([4]byte(rest)))
		} else {
			a.Addresses = append(a.Addresses, netip.AddrFrom16([16]byte(rest)))
		}
		rest = rest[addrLen(family):]
	}
}
