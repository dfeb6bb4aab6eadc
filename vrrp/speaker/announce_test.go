package speaker

import (
	"slices"
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
		b.begin(now, AnnounceConfig{Repeat: 3, Interval: c.interval})
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
	p := AnnounceConfig{Repeat: 1, Refresh: time.Minute, RefreshRepeat: 1}
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

// said returns the numbers of the frames of a burst of n that are due now.
func said(b *burst, now time.Time, n int) []int {
	var all []int
	for i := b.take(now, n); i >= 0; i = b.take(now, n) {
		all = append(all, i)
	}
	return all
}

// What is up is announced; what comes up later follows, and nothing is said twice
// in the first round.
func TestBurstInParts(t *testing.T) {
	now := time.Now()
	p := AnnounceConfig{Repeat: 2, Delay: 5 * time.Second}
	var b burst
	b.part(now, p, 2)
	if got := said(&b, now, 5); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("of the first part %v", got)
	}
	if d := b.deadline(); !d.IsZero() {
		t.Errorf("with nothing to say it is due after %v", d.Sub(now))
	}
	now = now.Add(time.Millisecond)
	b.part(now, p, 4)
	if got := said(&b, now, 5); !slices.Equal(got, []int{2, 3}) {
		t.Errorf("of the second part %v", got)
	}
	b.begin(now, p)
	if got := said(&b, now, 5); !slices.Equal(got, []int{4}) {
		t.Errorf("of the rest %v", got)
	}
	if got := said(&b, now.Add(roundGap), 5); !slices.Equal(got, []int{0, 1, 2, 3, 4}) {
		t.Errorf("in the second round %v", got)
	}
	if b.second != now.Add(p.Delay) || !b.at.IsZero() {
		t.Errorf("after the rounds: %+v", b)
	}

	// All of them may have been said in parts, and the rounds go on.
	b.part(now, p, 5)
	said(&b, now, 5)
	b.begin(now, p)
	if got := said(&b, now, 5); len(got) > 0 {
		t.Errorf("twice: %v", got)
	}
	if got := said(&b, now.Add(roundGap), 5); len(got) != 5 {
		t.Errorf("in the second round %v", got)
	}

	// There may be fewer than was thought, none, or no rounds.
	for _, c := range []struct{ n, part, repeat, want int }{{3, 5, 2, 3}, {0, 5, 2, 0}, {5, 5, 0, 0}, {5, 0, 2, 0}} {
		var b burst
		b.part(now, AnnounceConfig{Repeat: c.repeat}, c.part)
		if got := said(&b, now, c.n); len(got) != c.want || !b.deadline().IsZero() {
			t.Errorf("%+v: %v, due %v", c, got, b.deadline())
		}
	}

	// A pace is kept from part to part.
	b.stop()
	slow := AnnounceConfig{Repeat: 1, Interval: 20 * time.Millisecond}
	b.part(now, slow, 1)
	said(&b, now, 3)
	b.part(now, slow, 2)
	b.begin(now, slow)
	if want := now.Add(slow.Interval); b.deadline() != want {
		t.Errorf("the second frame is due %v after the first", b.deadline().Sub(now))
	}
}
