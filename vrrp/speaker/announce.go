package speaker

import "time"

const (
	// roundGap is the pause between two rounds of a burst. The later rounds are for
	// switches and neighbours that missed a frame.
	roundGap = 10 * time.Millisecond
	// frameGap is the pause between two rounds for each frame of a round, if that
	// is longer than roundGap. Only the first round is urgent, and a neighbour that
	// lost frames because it was too slow needs a slower pace.
	frameGap = 100 * time.Microsecond
	// calmGap is the pause between two frames of a burst that is not urgent.
	calmGap = time.Millisecond
)

// A burst announces a router's addresses in rounds. Its frames are sent after
// the adverts of the same wake-up, a limited number at a time, so that many
// addresses delay no advert.
type burst struct {
	rounds int           // still to be sent, the running one included
	next   int           // index of the next frame of the running round
	at     time.Time     // when that frame is due; zero while there is none
	gap    time.Duration // between two frames
	limit  int           // how many frames of the round may be sent so far; 0: all
	begun  bool          // the addresses are claimed, and were announced
	second time.Time     // when the second burst starts; zero is never
	again  time.Time     // when the next refresh starts; zero is never
}

// part announces the first frames of a takeover before the others may be
// sent.
func (b *burst) part(now time.Time, p AnnounceConfig, frames int) {
	if b.limit == 0 {
		*b = burst{rounds: p.Repeat, at: now, gap: p.Interval}
	}
	b.limit = frames
	if b.at.Before(now) {
		b.at = now
	}
	if p.Repeat <= 0 || frames <= 0 {
		b.stop()
	}
}

// held reports whether every frame that may be sent was sent.
func (b *burst) held() bool { return b.limit > 0 && b.next >= b.limit }

// begin starts the bursts of a takeover, or continues the one that part
// began.
func (b *burst) begin(now time.Time, p AnnounceConfig) {
	first, at := 0, now
	if b.limit > 0 {
		first = b.next
		if b.at.After(now) {
			at = b.at
		}
	}
	*b = burst{rounds: p.Repeat, next: first, at: at, gap: p.Interval, begun: true}
	if p.Repeat <= 0 {
		b.at = time.Time{}
	}
	if p.Delay > 0 {
		b.second = now.Add(p.Delay)
	}
	b.rearm(now, p)
}

func (b *burst) rearm(now time.Time, p AnnounceConfig) {
	b.again = time.Time{}
	if p.Refresh > 0 {
		b.again = now.Add(p.Refresh)
	}
}

// stop ends all bursts.
func (b *burst) stop() { *b = burst{} }

// deadline returns when the next frame or burst is due. The zero time means
// never.
func (b *burst) deadline() time.Time {
	if b.held() {
		return time.Time{}
	}
	return earliest(earliest(b.at, b.second), b.again)
}

// wind starts the second and the refresh burst when they are due.
func (b *burst) wind(now time.Time, p AnnounceConfig) {
	if reached(b.second, now) {
		b.second = time.Time{}
		b.start(now, p.Repeat, p)
	}
	if reached(b.again, now) {
		b.rearm(now, p)
		b.start(now, p.RefreshRepeat, p)
	}
}

func (b *burst) start(now time.Time, rounds int, p AnnounceConfig) {
	if rounds > 0 {
		b.rounds, b.next, b.at, b.gap = rounds, 0, now, max(calmGap, p.Interval)
	}
}

// restart starts the bursts of a takeover anew. Before the first of them it does
// nothing: the addresses are not claimed yet.
func (b *burst) restart(now time.Time, p AnnounceConfig) {
	if b.begun {
		b.begin(now, p)
	}
}

// once announces every address once more, after the running burst if there is
// one.
func (b *burst) once(now time.Time, p AnnounceConfig) {
	if b.at.IsZero() {
		b.start(now, 1, p)
	} else {
		b.rounds++
	}
}

// take returns the index of the next frame of n that is due, and moves on. It
// returns -1 if none is due.
func (b *burst) take(now time.Time, n int) int {
	if b.held() || !reached(b.at, now) {
		return -1
	}
	if n == 0 {
		b.at = time.Time{}
		return -1
	}
	i := b.next
	switch {
	case i >= n && b.limit > 0: // the configuration has fewer addresses now
		b.limit = i
		return -1
	case i >= n: // part sent the whole round
		b.endRound(n)
		return -1
	}
	b.next++
	if b.next < n || b.limit > 0 {
		b.at = b.at.Add(b.gap)
		return i
	}
	b.endRound(n)
	return i
}

func (b *burst) endRound(n int) {
	b.next = 0
	b.rounds--
	if b.rounds <= 0 {
		b.at = time.Time{}
	} else {
		b.at = b.at.Add(max(roundGap, time.Duration(n)*frameGap, b.gap))
	}
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

func reached(t, now time.Time) bool { return !t.IsZero() && !t.After(now) }
