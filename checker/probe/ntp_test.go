package probe

import (
	"encoding/binary"
	"testing"
	"time"
)

// answerNTP returns the answer of a server to a request.
func answerNTP(request []byte, edit func(answer []byte)) []byte {
	answer := make([]byte, ntpSize)
	answer[0], answer[ntpStratum] = 4<<3|4, 2
	copy(answer[ntpOrigin:], request[ntpTransmit:])
	now := time.Now()
	for _, at := range []int{ntpReceive, ntpTransmit} {
		binary.BigEndian.PutUint64(answer[at:], uint64(now.Unix()+2208988800)<<32+uint64(now.Nanosecond())<<32/1e9)
	}
	if edit != nil {
		edit(answer)
	}
	return answer
}

// shift moves the server's clock by seconds.
func shift(seconds int32) func([]byte) {
	return func(answer []byte) {
		for _, at := range []int{ntpReceive, ntpTransmit} {
			binary.BigEndian.PutUint32(answer[at:], binary.BigEndian.Uint32(answer[at:])+uint32(seconds))
		}
	}
}

func TestNTP(t *testing.T) {
	near := NTP{MaxStratum: 2, MaxOffset: 30 * time.Second}
	const nobody = "answer: timeout after 500ms"
	tests := []struct {
		name   string
		want   NTP
		edits  []func([]byte) // one for each datagram that answers
		reason string
	}{
		{"well", near, []func([]byte){nil}, ""},
		{"stratum", NTP{MaxStratum: 1}, []func([]byte){nil}, "stratum 2, want at most 1"},
		{"refused", defaultNTP, []func([]byte){func(a []byte) { a[ntpStratum] = 0; copy(a[ntpRefID:], "RATE") }}, "the server refuses (kiss code RATE)"},
		{"not synchronized", defaultNTP, []func([]byte){func(a []byte) { a[0] |= 3 << 6 }}, "the server is not synchronized (leap indicator 3, stratum 2)"},
		{"stratum 16", defaultNTP, []func([]byte){func(a []byte) { a[ntpStratum] = 16 }}, "the server is not synchronized (leap indicator 0, stratum 16)"},
		{"a leap second is near", defaultNTP, []func([]byte){func(a []byte) { a[0] |= 1 << 6 }}, ""},
		{"any clock", defaultNTP, []func([]byte){shift(5000)}, ""},
		{"silence", defaultNTP, nil, nobody},
		{"not our number", defaultNTP, []func([]byte){func(a []byte) { a[ntpOrigin]++ }}, stray},
		{"a request", defaultNTP, []func([]byte){func(a []byte) { a[0] = 4<<3 | 3 }}, stray},
		{"ours comes second", near, []func([]byte){func(a []byte) { a[ntpOrigin]++ }, nil}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := at(answerUDP(t, "127.0.0.1:0", func(request []byte) (all [][]byte) {
				for _, edit := range tt.edits {
					all = append(all, answerNTP(request, edit))
				}
				return all
			}))
			if tt.reason == nobody || tt.reason == stray {
				c.Timeout = hung
			}
			wantReason(t, ask(t, tt.want, c), tt.reason)
		})
	}
}

func TestNTPOffset(t *testing.T) {
	asked := time.Date(2036, 2, 7, 6, 28, 15, 500e6, time.UTC) // seconds before the timestamps begin again
	answer := make([]byte, ntpSize)
	binary.BigEndian.PutUint64(answer[ntpReceive:], 2<<32)
	binary.BigEndian.PutUint64(answer[ntpTransmit:], 3<<32)
	// It took the server 1 s, and each way 1 s: our 15.5 to 18.5 are its 18 to 19.
	if got := ntpOffset(answer, asked, asked.Add(3*time.Second)); got != 1500*time.Millisecond {
		t.Errorf("offset %v", got)
	}
	answer[ntpStratum] = 1
	near := NTP{MaxStratum: 15, MaxOffset: time.Second}
	for reason, later := range map[string]time.Duration{
		"its clock differs from ours by 1.5s, want at most 1s":  0,
		"its clock differs from ours by -1.5s, want at most 1s": 3 * time.Second,
	} {
		if err := near.judge(answer, asked.Add(later), asked.Add(later+3*time.Second)); err == nil || err.Error() != reason {
			t.Errorf("%v, want %s", err, reason)
		}
	}
	if err := near.judge(answer, asked.Add(time.Second), asked.Add(4*time.Second)); err != nil {
		t.Error(err)
	}
}
