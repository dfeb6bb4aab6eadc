package status

import (
	"cmp"
	"maps"
)

// Plus returns the sum of c and earlier. Here earlier holds the counters that the
// previous process kept for the same instance.
func (c Counters) Plus(earlier Counters) Counters {
	sum := c
	now, before := sum.counts(), earlier.counts()
	for i := range now {
		*now[i] += *before[i]
	}
	sum.Dropped, sum.Moves = plus(c.Dropped, earlier.Dropped), plus(c.Moves, earlier.Moves)
	if !earlier.Since.IsZero() {
		sum.Since = earlier.Since
	}
	sum.LastError = cmp.Or(c.LastError, earlier.LastError)
	sum.MaxLateMS = max(c.MaxLateMS, earlier.MaxLateMS)
	return sum
}

// Minus returns how much the counters have grown since earlier was taken. Minus
// returns c itself if the instance restarted after that. MaxLateMS stays as in c,
// because a maximum cannot be split by time.
func (c Counters) Minus(earlier Counters) Counters {
	d := c
	now, before := d.counts(), earlier.counts()
	for i := range now {
		if *now[i] < *before[i] {
			return c
		}
		*now[i] -= *before[i]
	}
	var dropped, moved bool
	d.Dropped, dropped = minus(c.Dropped, earlier.Dropped)
	d.Moves, moved = minus(c.Moves, earlier.Moves)
	if !dropped || !moved {
		return c
	}
	return d
}

// plus returns the sum of two maps of counters, which it leaves alone.
func plus(now, earlier map[string]uint64) map[string]uint64 {
	sum := maps.Clone(now)
	for key, n := range earlier {
		if sum == nil {
			sum = map[string]uint64{}
		}
		sum[key] += n
	}
	return sum
}

// minus returns what was added since earlier, without zeros. It returns false if a
// counter has decreased.
func minus(now, earlier map[string]uint64) (map[string]uint64, bool) {
	left := maps.Clone(now)
	for key, n := range earlier {
		if left[key] < n {
			return nil, false
		}
		if left[key] -= n; left[key] == 0 {
			delete(left, key)
		}
	}
	return left, true
}

// counts returns pointers to the counters that never decrease.
func (c *Counters) counts() []*uint64 {
	return []*uint64{
		&c.AdvertsSent, &c.AdvertsReceived, &c.StopSent, &c.StopReceived, &c.RivalAdverts, &c.AddressMismatch,
		&c.IntervalDiffers, &c.Transitions, &c.BecameMaster, &c.AnnouncementsOut, &c.AdvertsLate,
	}
}
