package status

import (
	"cmp"
	"maps"
)

// Plus is what was counted in all, where earlier is what the process before this
// one had counted of the instance.
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

// Minus is what was counted since an earlier moment. It is c itself when the
// instance began anew after that. MaxLateMS cannot be told apart by time.
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

// counts are the counters that only grow.
func (c *Counters) counts() []*uint64 {
	return []*uint64{
		&c.AdvertsSent, &c.AdvertsReceived, &c.StopSent, &c.StopReceived, &c.RivalAdverts, &c.AddressMismatch,
		&c.IntervalDiffers, &c.Transitions, &c.BecameMaster, &c.AnnouncementsOut, &c.AdvertsLate,
	}
}
