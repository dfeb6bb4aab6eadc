package metrics

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/testing/protocmp"

	"holdfast/vrrp/histogram"
)

// Our histograms are those that client_golang makes of the same durations.
func TestNativeHistogram(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, count := range []int{0, 1, 10, 1000} {
		theirs := prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "h", Buckets: histogram.Bounds[:], NativeHistogramBucketFactor: 1.19, NativeHistogramZeroThreshold: histogram.ZeroThreshold,
		})
		var ours histogram.Histogram
		for range count {
			d := time.Duration(math.Exp(random.Float64() * math.Log(float64(50*time.Second))))
			ours.Observe(d)
			theirs.Observe(d.Seconds())
		}
		var want dto.Metric
		if err := theirs.Write(&want); err != nil {
			t.Fatal(err)
		}
		want.Histogram.CreatedTimestamp = nil
		got := native(ours.Snapshot())
		if difference := got.GetSampleSum() - want.Histogram.GetSampleSum(); math.Abs(difference) > 1e-6 {
			t.Errorf("%d durations: the sum is %g, want %g", count, got.GetSampleSum(), want.Histogram.GetSampleSum())
		}
		got.SampleSum = want.Histogram.SampleSum
		// Spans that touch may be one or several.
		if diff := cmp.Diff(expand(want.Histogram), expand(got)); diff != "" {
			t.Errorf("%d durations, native buckets (-client_golang +ours):\n%s", count, diff)
		}
		got.PositiveSpan, got.PositiveDelta, want.Histogram.PositiveSpan, want.Histogram.PositiveDelta = nil, nil, nil, nil
		if diff := cmp.Diff(want.Histogram, got, protocmp.Transform()); diff != "" {
			t.Errorf("%d durations (-client_golang +ours):\n%s", count, diff)
		}
	}
}

// expand returns the native buckets by index.
func expand(h *dto.Histogram) map[int32]int64 {
	buckets := map[int32]int64{}
	var index int32
	var count int64
	next := 0
	for _, span := range h.PositiveSpan {
		index += span.GetOffset()
		for range span.GetLength() {
			count += h.PositiveDelta[next]
			if count > 0 {
				buckets[index] = count
			}
			next++
			index++
		}
	}
	return buckets
}
