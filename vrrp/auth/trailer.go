package auth

import (
	"crypto/hmac"
	"encoding/binary"
	"net/netip"
	"time"

	"holdfast/vrrp"
)

// Layout of the trailer, in bytes: type, key, two reserved, a sequence number
// of eight, and the HMAC.
const (
	pseudoLen   = 20
	macAt       = 12
	macLen      = vrrp.TrailerLen - macAt
	sequenceAt  = 4
	typeSHA256  = 1
	checksumAt  = 6
	checksumLen = 2
)

var zeros [macLen]byte

// sequenceOf returns the sequence number for a time: 32 bits of seconds, 16
// bits of 1/65536 seconds, and 16 bits that count messages within these.
func sequenceOf(now time.Time) uint64 {
	return uint64(uint32(now.Unix()))<<32 | uint64(now.Nanosecond())<<16/1e9<<16
}

// after reports whether sequence number a follows b, across the wrap (RFC
// 1982).
func after(a, b uint64) bool { return int64(a-b) > 0 }

// next returns the sequence number of the next message. It normally grows. If
// the clock was set back so far that the last number is outside the window,
// it starts again from the clock, because others would refuse every number
// after the last.
func (g *Guard) next(now time.Time) uint64 {
	clock := sequenceOf(now)
	if after(clock, g.sequence) || g.beyond(now, g.sequence) {
		g.sequence = clock
	} else {
		g.sequence++
	}
	return g.sequence
}

// beyond reports whether a sequence number is outside the window around now.
func (g *Guard) beyond(now time.Time, sequence uint64) bool {
	if g.cfg.Window == 0 {
		return false
	}
	skew := int64(int32(uint32(now.Unix()) - uint32(sequence>>32)))
	window := int64(g.cfg.Window / time.Second)
	return skew > window || skew < -window
}

// sealTrailer appends the trailer to a message.
func (g *Guard) sealTrailer(message []byte, now time.Time, source netip.Addr) []byte {
	b := message
	b = append(b, typeSHA256, g.cfg.Active, 0, 0)
	b = binary.BigEndian.AppendUint64(b, g.next(now))
	mac := g.mac(g.key(g.cfg.Active), b, source)
	b = append(b, mac...)
	if g.family == vrrp.IPv6 {
		vrrp.CoverTrailer(b)
	}
	return b
}

func (g *Guard) key(id uint8) *key {
	for i := range g.keys {
		if g.keys[i].id == id {
			return &g.keys[i]
		}
	}
	return nil
}

// mac returns the HMAC over a pseudo-header, the message with its checksum as
// zero, the trailer up to the HMAC, and as many zeros as the HMAC is long. b
// ends where the HMAC begins.
func (g *Guard) mac(k *key, b []byte, source netip.Addr) []byte {
	g.pseudo = [pseudoLen]byte{byte(g.family), g.version, g.vrid}
	if source.Is4() {
		a := source.As4()
		copy(g.pseudo[4:], a[:])
	} else {
		a := source.As16()
		copy(g.pseudo[4:], a[:])
	}
	k.mac.Reset()
	k.mac.Write(g.pseudo[:])
	k.mac.Write(b[:checksumAt])
	k.mac.Write(zeros[:checksumLen])
	k.mac.Write(b[checksumAt+checksumLen:])
	k.mac.Write(zeros[:])
	return k.mac.Sum(g.digest[:0])[:macLen]
}

// checkTrailer checks the trailer of a message, in order of cost. Nothing is
// trusted before the HMAC has been checked.
func (g *Guard) checkTrailer(now time.Time, p vrrp.Packet) vrrp.Drop {
	_, trailer := vrrp.SplitTrailer(p.Payload, g.family)
	if trailer == nil {
		if g.cfg.Mode == Enforce {
			return vrrp.DropAuthMissing
		}
		return vrrp.DropNone
	}
	if trailer[0] != typeSHA256 || trailer[2] != 0 || trailer[3] != 0 {
		return vrrp.DropAuthFormat
	}
	sequence := binary.BigEndian.Uint64(trailer[sequenceAt:])
	if g.beyond(now, sequence) {
		return vrrp.DropAuthStale
	}
	k := g.key(trailer[1])
	if k == nil {
		return vrrp.DropAuthKey
	}
	if !hmac.Equal(trailer[macAt:], g.mac(k, p.Payload[:len(p.Payload)-macLen], p.Source)) {
		return vrrp.DropAuth
	}
	if g.replayedFromOther(now, p.Source, sequence) {
		return vrrp.DropReplay
	}
	s := g.senders.of(p.Source)
	// A mark outside the window was left by a clock that has been set since.
	if s.sequence != 0 && !after(sequence, s.sequence) && !g.beyond(now, s.sequence) {
		return vrrp.DropReplay
	}
	s.sequence, s.at = sequence, now
	return vrrp.DropNone
}
