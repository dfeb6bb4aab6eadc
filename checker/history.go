package checker

import (
	"math"
	"slices"
	"time"
)

// keptResults is how many results a question remembers.
const keptResults = 64

// A history is a ring of the latest results. It is small, because there may be ten
// thousand of them.
type history struct {
	took [keptResults]uint32 // in microseconds
	how  [keptResults]byte   // as in Status.Recent
	n    uint32              // results so far
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
	h.took[at] = uint32(min(r.Took.Microseconds(), math.MaxUint32))
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
	good := make([]uint32, 0, keptResults)
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
		return time.Duration(good[(len(good)*percent+99)/100-1]) * time.Microsecond
	}
	return &Latency{P50: rank(50), P90: rank(90), P99: rank(99), Max: rank(100), Of: len(good)}
}
