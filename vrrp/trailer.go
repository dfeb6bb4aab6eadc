package vrrp

import "encoding/binary"

// TrailerLen is the length of the authentication trailer that may follow a
// message. Nothing in the message tells of it: a message that is followed by
// exactly so many bytes has one.
const TrailerLen = 28

// SplitTrailer returns the message of a payload, and the trailer behind it or
// nil. message is nil when the payload is too short for its own address count.
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

// CoverTrailer corrects the checksum of a message over IPv6 to which a trailer
// was appended: there the kernel sums the whole payload, while over IPv4 the
// checksum ends with the message.
func CoverTrailer(payload []byte) {
	trailer := payload[len(payload)-TrailerLen:]
	acc := uint32(^binary.BigEndian.Uint16(payload[6:])) + TrailerLen
	binary.BigEndian.PutUint16(payload[6:], ^fold(sum(acc, trailer)))
}

// summed returns what the checksum of a message covers.
func summed(msg []byte, p Packet) []byte {
	if FamilyOf(p.Source) == IPv6 && len(p.Payload) == len(msg)+TrailerLen {
		return p.Payload
	}
	return msg
}
