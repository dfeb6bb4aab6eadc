package checker

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

// keptResults is how many results a question remembers.
const keptResults = 64

// A span is a duration to eleven bits: exact below 2 ms, and at most a thousandth too
// short above. The low bits are the leading bits of its microseconds, the others how many
// more bits there are. Longer spans are larger.
type span uint16

const spanBits = 11

func spanOf(d time.Duration) span {
	us := uint32(min(max(d.Microseconds(), 0), math.MaxUint32))
	more := max(0, bits.Len32(us)-spanBits)
	return span(more<<spanBits | int(us>>more))
}

func (s span) duration() time.Duration {
	us := uint64(s&(1<<spanBits-1)) << (s >> spanBits)
	return time.Duration(us) * time.Microsecond
}

// A history is a ring of the latest results. It is small, because there may be ten
// thousand of them.
type history struct {
	took [keptResults]span
	how  [keptResults]byte // as in Status.Recent
	n    uint32            // results so far
}

func (h *history) add(r *Result) {
	how := byte('-')
	switch {
	case r.OK:
		how = '+'
	case r.Unsent:
		how = '!'
	case r.Inconclusive:
		how = '?'
	}
	at := h.n % keptResults
	h.took[at] = spanOf(r.Took)
	h.how[at] = how
	h.n++
}

// String returns the form of Status.Recent.
func (h *history) String() string {
	if h.n <= keptResults {
		return string(h.how[:h.n])
	}
	at := h.n % keptResults
	return string(h.how[at:]) + string(h.how[:at])
}

// Latency says how long good answers took: half of them at most P50, and so on.
type Latency struct {
	P50 time.Duration `json:"p50_ns"`
	P90 time.Duration `json:"p90_ns"`
	P99 time.Duration `json:"p99_ns"`
	Max time.Duration `json:"max_ns"`
	Of  int           `json:"of"` // how many answers
}

// latency returns nil if there is no good answer.
func (h *history) latency() *Latency {
	good := make([]span, 0, keptResults)
	for i, how := range h.how {
		if how == '+' {
			good = append(good, h.took[i])
		}
	}
	if len(good) == 0 {
		return nil
	}
	slices.Sort(good)
	// The nearest rank: the smallest value that so many percent do not exceed.
	rank := func(percent int) time.Duration {
		return good[(len(good)*percent+99)/100-1].duration()
	}
	return &Latency{P50: rank(50), P90: rank(90), P99: rank(99), Max: rank(100), Of: len(good)}
}
