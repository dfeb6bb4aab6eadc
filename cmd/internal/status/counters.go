package status

import (
	"cmp"
	"maps"
)

// Plus returns the sum of c and earlier. Here earlier holds the counters that the
// previous process kept for the same instance.
func (c Counters) Plus(earlier Counters) Counters {
	sum := c
	sum.Dropped = maps.Clone(c.Dropped)
	now, before := sum.counts(), earlier.counts()
	for i := range now {
		*now[i] += *before[i]
	}
	for reason, n := range earlier.Dropped {
		if sum.Dropped == nil {
			sum.Dropped = map[string]uint64{}
		}
		sum.Dropped[reason] += n
	}
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
	d.Dropped = maps.Clone(c.Dropped)
	now, before := d.counts(), earlier.counts()
	for i := range now {
		if *now[i] < *before[i] {
			return c
		}
		*now[i] -= *before[i]
	}
	for reason, n := range earlier.Dropped {
		if d.Dropped[reason] < n {
			return c
		}
		if d.Dropped[reason] -= n; d.Dropped[reason] == 0 {
			delete(d.Dropped, reason)
		}
	}
	return d
}

// counts returns pointers to the counters that never decrease.
func (c *Counters) counts() []*uint64 {
	return []*uint64{
		&c.AdvertsSent, &c.AdvertsReceived, &c.StopSent, &c.StopReceived, &c.RivalAdverts, &c.AddressMismatch,
		&c.IntervalDiffers, &c.Transitions, &c.BecameMaster, &c.AnnouncementsOut, &c.AdvertsLate,
	}
}
