package status

import (
	"cmp"
	"maps"
	"time"
)

// Counters count since the instance was started.
type Counters struct {
	Since            time.Time `json:"since,omitzero"` // when the instance was started
	AdvertsSent      uint64    `json:"adverts_sent"`
	AdvertsReceived  uint64    `json:"adverts_received"`   // adverts that passed every check
	StopSent         uint64    `json:"priority0_sent"`     // adverts sent with priority 0
	StopReceived     uint64    `json:"priority0_received"` // adverts received with priority 0
	RivalAdverts     uint64    `json:"rival_adverts"`      // adverts of a lower priority, received while MASTER
	AddressMismatch  uint64    `json:"address_mismatch"`   // adverts accepted although their addresses differ
	IntervalDiffers  uint64    `json:"interval_differs"`   // adverts accepted although their interval differs
	Transitions      uint64    `json:"transitions"`
	BecameMaster     uint64    `json:"became_master"`      // transitions to MASTER
	AnnouncementsOut uint64    `json:"announcements_sent"` // gratuitous ARP and unsolicited neighbour advertisements
	// Moves counts the transitions by the states before and after, such as
	// "BACKUP MASTER". It omits those that never occurred.
	Moves map[string]uint64 `json:"moves,omitempty"`
	// Dropped counts the adverts that were not accepted, by reason. It omits
	// reasons that never occurred.
	Dropped map[string]uint64 `json:"dropped"`
	// LastError is the latest drop reason that is a protocol error: hop_limit,
	// version or checksum.
	LastError string `json:"last_error,omitempty"`
	// AdvertsLate counts adverts that were sent more than half an interval late.
	// MaxLateMS is the longest delay of any advert, in milliseconds.
	AdvertsLate uint64  `json:"adverts_late"`
	MaxLateMS   float64 `json:"max_late_ms"`
}

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
