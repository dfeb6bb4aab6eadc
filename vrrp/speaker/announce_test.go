package speaker

import (
	"testing"
	"time"
)

// rounds plays a burst of n frames and returns when each frame went, by round.
func rounds(t *testing.T, b *burst, from time.Time, n int) [][]time.Duration {
	t.Helper()
	var all [][]time.Duration
	for now := b.at; !b.at.IsZero(); now = b.at {
		i := b.take(now, n)
		if i < 0 {
			t.Fatalf("a frame is due at %v, and there is none", now.Sub(from))
		}
		if i == 0 {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], now.Sub(from))
	}
	return all
}

// The first round of a takeover goes at once, however many frames it has; those
// after it leave the neighbours time. A pace that was asked for is kept.
func TestBurstPace(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		n        int
		interval time.Duration
		// when the first round has ended, and the second begins
		end, second time.Duration
	}{
		"few":   {2, 0, 0, roundGap},
		"many":  {2000, 0, 0, 200 * time.Millisecond},
		"paced": {10, 20 * time.Millisecond, 180 * time.Millisecond, 200 * time.Millisecond},
	} {
		var b burst
		b.begin(now, Pace{Repeat: 3, Interval: c.interval})
		all := rounds(t, &b, now, c.n)
		if len(all) != 3 || len(all[0]) != c.n || len(all[2]) != c.n {
			t.Fatalf("%s: %d rounds", name, len(all))
		}
		if first := all[0]; first[0] != 0 || first[c.n-1] != c.end || all[1][0] != c.second {
			t.Errorf("%s: the first round is from %v to %v, the second from %v; want 0s, %v, %v",
				name, first[0], first[c.n-1], all[1][0], c.end, c.second)
		}
	}
}

// Nobody waits for a refresh: its frames are always apart.
func TestBurstRefresh(t *testing.T) {
	now := time.Now()
	p := Pace{Repeat: 1, Refresh: time.Minute, RefreshRepeat: 1}
	var b burst
	b.begin(now, p)
	rounds(t, &b, now, 3)
	later := now.Add(time.Minute)
	b.wind(later, p)
	all := rounds(t, &b, later, 3)
	if len(all) != 1 || all[0][2] != 2*calmGap {
		t.Errorf("frames of the refresh are sent at %v", all)
	}
}
