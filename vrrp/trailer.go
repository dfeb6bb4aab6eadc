package vrrp

import "encoding/binary"

// TrailerLen is the length in bytes of the authentication trailer that may follow
// a message. No field of the message announces it: a message has a trailer if
// exactly this many bytes follow it, or follow the Origin behind it.
const TrailerLen = 28

// SplitTrailer returns the message of a payload and the trailer at its end,
// which is nil if there is none. message is nil if the payload is too short
// for its count of addresses.
func SplitTrailer(payload []byte, f Family) (message, trailer []byte) {
	if len(payload) == 0 {
		return nil, nil
	}
	message = complete(payload, payload[0]>>4, f)
	if message == nil {
		return nil, nil
	}
	rest := payload[len(message):]
	if hasOrigin(rest) {
		rest = rest[OriginLen:]
	}
	if len(rest) != TrailerLen {
		return message, nil
	}
	return message, rest
}

// CoverTrailer corrects the checksum of a message over IPv6 after a trailer
// was appended. The kernel's IPv6 checksum covers the whole payload; over
// IPv4 the VRRP checksum ends with the message.
func CoverTrailer(payload []byte) {
	trailer := payload[len(payload)-TrailerLen:]
	acc := uint32(^binary.BigEndian.Uint16(payload[6:])) + TrailerLen
	binary.BigEndian.PutUint16(payload[6:], ^fold(sum(acc, trailer)))
}

// summed returns the bytes that the checksum of a message covers.
func summed(msg []byte, p Packet) []byte {
	rest := p.Payload[len(msg):]
	if FamilyOf(p.Source) == IPv6 && (len(rest) == TrailerLen || hasOrigin(rest)) {
		return p.Payload
	}
	return msg
}
