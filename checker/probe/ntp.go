package probe

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"
)

// NTP asks a time server for the time (RFC 5905), as a client does. The server must
// be synchronized.
type NTP struct {
	MaxStratum int           // the largest distance to a reference clock, 1 to 15
	MaxOffset  time.Duration // the largest difference to the clock of this host; 0: any
}

var defaultNTP = NTP{MaxStratum: 15}

// Kind returns "ntp".
func (NTP) Kind() string { return "ntp" }

// Needs returns NeedsPort.
func (NTP) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s NTP) Validate() FieldErrors {
	var errs FieldErrors
	if s.MaxStratum < 1 || s.MaxStratum > 15 {
		errs.Addf("max_stratum", "must be from 1 to 15, not %d", s.MaxStratum)
	}
	if s.MaxOffset < 0 {
		errs.Addf("max_offset", "must not be negative, like %v", s.MaxOffset)
	}
	return errs
}

func (s NTP) prober(_ *Tools, to Target) Prober {
	return &ntpProber{newDialer(to, unix.SOCK_DGRAM), s}
}

type ntpProber struct {
	dialer
	want NTP
}

// The header of a packet (RFC 5905 §7.3), by the offset of its fields.
const (
	ntpStratum  = 1
	ntpRefID    = 12
	ntpOrigin   = 24 // the client's timestamp comes back here
	ntpReceive  = 32
	ntpTransmit = 40
	ntpSize     = 48
)

// Probe implements Prober. In the place of our time it sends a random number, as RFC
// 9109 and the clients of today do, by which it knows the answer.
func (p *ntpProber) Probe(ctx context.Context) error {
	conn, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	cookie := rand.Uint64()
	ask := make([]byte, ntpSize)
	ask[0] = 4<<3 | 3 // version 4, client
	binary.BigEndian.PutUint64(ask[ntpTransmit:], cookie)
	asked := time.Now()
	if _, err := conn.Write(ask); err != nil {
		return p.failed("request", err)
	}
	buf := datagrams.Get().(*[1 << 16]byte)
	defer datagrams.Put(buf)
	for stray := false; ; stray = true {
		n, err := receive(conn, buf[:])
		if err != nil {
			return p.unanswered(err, stray)
		}
		if answer := buf[:n]; isNTPAnswer(answer, cookie) {
			return p.want.judge(answer, asked, time.Now())
		}
	}
}

// isNTPAnswer reports whether a datagram is a server's answer to the request with a
// cookie.
func isNTPAnswer(datagram []byte, cookie uint64) bool {
	return len(datagram) >= ntpSize && datagram[0]&7 == 4 && binary.BigEndian.Uint64(datagram[ntpOrigin:]) == cookie
}

// judge returns what is wrong with an answer.
func (s *NTP) judge(answer []byte, asked, got time.Time) error {
	stratum, leap := int(answer[ntpStratum]), answer[0]>>6
	switch code := kissCode(answer[ntpRefID : ntpRefID+4]); {
	case stratum == 0 && code != "":
		return fmt.Errorf("the server refuses (kiss code %s)", code)
	case leap == 3 || stratum == 0 || stratum > 15:
		return fmt.Errorf("the server is not synchronized (leap indicator %d, stratum %d)", leap, stratum)
	case stratum > s.MaxStratum:
		return fmt.Errorf("stratum %d, want at most %d", stratum, s.MaxStratum)
	}
	if offset := ntpOffset(answer, asked, got); s.MaxOffset > 0 && offset.Abs() > s.MaxOffset {
		return fmt.Errorf("its clock differs from ours by %v, want at most %v", offset.Round(time.Millisecond), s.MaxOffset)
	}
	return nil
}

// kissCode returns the code of a kiss-o'-death packet (RFC 5905 §7.4); "" if it has
// none.
func kissCode(id []byte) string {
	for _, c := range id {
		if c < 'A' || c > 'Z' {
			return ""
		}
	}
	return string(id)
}

// ntpOffset returns how far the server's clock is ahead of ours (RFC 5905 §8).
func ntpOffset(answer []byte, asked, got time.Time) time.Duration {
	there := ntpSince(binary.BigEndian.Uint64(answer[ntpReceive:]), asked)
	back := ntpSince(binary.BigEndian.Uint64(answer[ntpTransmit:]), got)
	return (there + back) / 2
}

// ntpSince returns how much later a timestamp is than t. Timestamps are seconds since
// 1900 in units of 2^-32, and begin again every 136 years; the difference is right
// up to 68 years.
func ntpSince(stamp uint64, t time.Time) time.Duration {
	const from1900To1970 = 2208988800
	ours := uint64(t.Unix()+from1900To1970)<<32 + uint64(t.Nanosecond())<<32/1e9
	seconds := float64(int64(stamp-ours)) / (1 << 32)
	return time.Duration(math.Round(seconds * 1e9))
}
