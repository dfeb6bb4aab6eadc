package auth

import (
	"crypto/hmac"
	"encoding/binary"
	"net/netip"
	"time"

	"holdfast/vrrp"
)

// Layout of an IP packet with an authentication header (RFC 4302 §2), in bytes.
const (
	ipv4Len  = 20
	icvLen   = 12 // HMAC-MD5-96
	fixedLen = 12 // of the authentication header, up to the check value
	ahLen    = fixedLen + icvLen
)

var noICV [icvLen]byte

// beginHeader appends an authentication header without its check value. The
// security parameters index is the source address, as in keepalived; RFC 2338
// does not define it.
func (g *Guard) beginHeader(b []byte, now time.Time, source netip.Addr) []byte {
	g.sequence, g.sent = g.nextHeader(now), now
	spi := source.As4()
	b = append(b, vrrp.Protocol, ahLen/4-2, 0, 0)
	b = append(b, spi[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(g.sequence))
	return append(b, noICV[:]...)
}

// nextHeader returns the sequence number of the next message: the time in seconds, or
// one more than the last if that is greater. After a restart it therefore exceeds what
// others have received. All paths share the numbers, and messages that leave in one
// moment have the same: others refuse what is older than what another path brought.
func (g *Guard) nextHeader(now time.Time) uint64 {
	next := max(g.sequence+1, uint64(now.Unix()))
	for _, o := range g.paths {
		switch {
		case o == nil:
		case o.sent.Equal(now):
			next = max(next, o.sequence)
		default:
			next = max(next, o.sequence+1)
		}
	}
	return next
}

// finishHeader fills in the check value.
func (g *Guard) finishHeader(packet []byte) {
	if len(packet) >= ipv4Len+ahLen {
		copy(packet[ipv4Len+fixedLen:], g.icv(packet))
	}
}

// icv returns the integrity check value of a packet (RFC 4302 §3.3.3). It
// covers the IP header, with the fields that routers change as zero, and
// everything behind it, with the value itself as zero. The TTL of a multicast
// packet is covered, because no router forwards it.
func (g *Guard) icv(packet []byte) []byte {
	h := g.header[:]
	copy(h, packet)
	h[1] = 0                        // type of service
	h[6], h[7] = 0, 0               // flags and fragment offset
	h[10], h[11] = 0, 0             // checksum
	if h[16] < 224 || h[16] > 239 { // unicast
		h[8] = 0
	}
	g.md5.Reset()
	g.md5.Write(h)
	g.md5.Write(packet[ipv4Len : ipv4Len+fixedLen])
	g.md5.Write(noICV[:])
	g.md5.Write(packet[ipv4Len+ahLen:])
	return g.md5.Sum(g.digest[:0])[:icvLen]
}

// checkHeader checks a datagram. The sequence numbers of a source must grow.
// Ours continue above every number received, because all routers share one
// key.
func (g *Guard) checkHeader(now time.Time, datagram []byte) vrrp.Drop {
	if datagram == nil {
		return vrrp.DropAuthMissing
	}
	if len(datagram) < ipv4Len+ahLen || datagram[0] != 0x45 || datagram[ipv4Len+1] != ahLen/4-2 {
		return vrrp.DropAuthFormat
	}
	if !hmac.Equal(datagram[ipv4Len+fixedLen:ipv4Len+ahLen], g.icv(datagram)) {
		return vrrp.DropAuth
	}
	sequence := uint64(binary.BigEndian.Uint32(datagram[ipv4Len+8:]))
	source := netip.AddrFrom4([4]byte(datagram[12:16]))
	if g.replayedFromOther(now, source, sequence) {
		return vrrp.DropReplay
	}
	s := g.senders.of(source)
	if sequence <= s.sequence {
		return vrrp.DropReplay
	}
	s.sequence, s.at = sequence, now
	if sequence > g.sequence {
		g.sequence, g.sent = sequence, time.Time{}
	}
	return vrrp.DropNone
}
