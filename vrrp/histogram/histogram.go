// Package histogram counts durations by their length, for a loop that must not
// allocate memory or wait.
//
// A [Histogram] counts in two ways at once. The classic buckets have a few fixed
// bounds. The native buckets are those of Prometheus's native histograms with schema
// 2: each is 19 % wider than the one before.
package histogram

import (
	"math"
	"time"
)

// Bounds are the upper bounds of the classic buckets, in seconds. One more bucket has
// what is longer.
var Bounds = [...]float64{0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

// Schema is the schema of the native buckets: 2^Schema buckets for each doubling.
const Schema = 2

const (
	perDoubling = 1 << Schema
	// The native buckets begin at about a microsecond and end at about a minute. What
	// is longer counts in the last one.
	minExponent = -20
	maxExponent = 6
	natives     = (maxExponent - minExponent) * perDoubling
	firstIndex  = minExponent*perDoubling + 1
)

// ZeroThreshold is the width of the zero bucket in seconds. Durations up to it have no
// native bucket of their own.
const ZeroThreshold = 1.0 / (1 << -minExponent)

// limits are Bounds as durations.
var limits = func() (limits [len(Bounds)]time.Duration) {
	for i, bound := range Bounds {
		limits[i] = time.Duration(math.Round(bound * float64(time.Second)))
	}
	return limits
}()

// within are the upper bounds of the buckets within one doubling, from 0.5 to 1.
var within = func() (bounds [perDoubling]float64) {
	for i := range bounds {
		bounds[i] = math.Exp2(float64(i+1)/perDoubling - 1)
	}
	return bounds
}()

// A Histogram counts durations. The zero value is ready for use. It has no lock: its
// owner guards it.
type Histogram struct {
	classic [len(Bounds) + 1]uint64
	native  [natives]uint64
	zero    uint64
	sum     time.Duration
}

// Observe counts a duration. A negative one counts as 0.
func (h *Histogram) Observe(d time.Duration) {
	d = max(d, 0)
	h.sum += d
	bucket := 0
	for bucket < len(limits) && d > limits[bucket] {
		bucket++
	}
	h.classic[bucket]++
	seconds := d.Seconds()
	if seconds <= ZeroThreshold {
		h.zero++
		return
	}
	h.native[min(index(seconds)-firstIndex, natives-1)]++
}

// index returns the number of the native bucket of a positive value. Bucket i has what
// is at most 2^(i/perDoubling) and more than the bound of the bucket before.
func index(v float64) int {
	fraction, exponent := math.Frexp(v)
	i := 0
	for fraction > within[i] {
		i++
	}
	return i + 1 + (exponent-1)*perDoubling
}

// A Snapshot is what a Histogram has counted.
type Snapshot struct {
	Count uint64  `json:"count"`
	Sum   float64 `json:"sum_s"` // of all durations, in seconds
	// Buckets has for each of Bounds how many durations were at most as long.
	Buckets []uint64 `json:"buckets"`
	// Zero is how many durations were at most ZeroThreshold. Native has the others by
	// the number of the native bucket.
	Zero   uint64         `json:"zero"`
	Native map[int]uint64 `json:"native,omitempty"`
}

// Snapshot returns what h has counted.
func (h *Histogram) Snapshot() *Snapshot {
	s := &Snapshot{Sum: h.sum.Seconds(), Zero: h.zero, Buckets: make([]uint64, len(Bounds)), Native: map[int]uint64{}}
	for i, n := range h.classic {
		s.Count += n
		if i < len(s.Buckets) {
			s.Buckets[i] = s.Count
		}
	}
	for i, n := range h.native {
		if n > 0 {
			s.Native[firstIndex+i] = n
		}
	}
	return s
}

// Plus returns the sum of s and earlier. Either may be nil. An earlier one with other
// bounds is left out.
func (s *Snapshot) Plus(earlier *Snapshot) *Snapshot {
	switch {
	case earlier == nil:
		return s
	case s == nil:
		return earlier
	case len(s.Buckets) != len(earlier.Buckets):
		return s
	}
	sum := &Snapshot{
		Count: s.Count + earlier.Count, Sum: s.Sum + earlier.Sum, Zero: s.Zero + earlier.Zero,
		Buckets: make([]uint64, len(s.Buckets)), Native: map[int]uint64{},
	}
	for i := range sum.Buckets {
		sum.Buckets[i] = s.Buckets[i] + earlier.Buckets[i]
	}
	for _, part := range []*Snapshot{s, earlier} {
		for i, n := range part.Native {
			sum.Native[i] += n
		}
	}
	return sum
}
