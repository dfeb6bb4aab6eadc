package vrrp

import "encoding/binary"

// TrailerLen is the length in bytes of the authentication trailer that may follow
// a message. No field of the message announces it: a message has a trailer if
// exactly this many bytes follow.
const TrailerLen = 28

// SplitTrailer splits a payload into its message and the trailer behind it,
// which is nil if there is none. message is nil if the payload is too short
// for its count of addresses.
func SplitTrailer(payload []byte, f Family) (message, trailer []byte) {
	if len(payload) == 0 {
		return nil, nil
	}
	message = complete(payload, payload[0]>>4, f)
	if message == nil || len(payload) != len(message)+TrailerLen {
		return message, nil
	}
	return message, payload[len(message):]
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
	if FamilyOf(p.Source) == IPv6 && len(p.Payload) == len(msg)+TrailerLen {
		return p.Payload
	}
	return msg
}
