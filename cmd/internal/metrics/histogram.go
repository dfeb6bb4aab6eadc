package metrics

import (
	"maps"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"

	"holdfast/vrrp/histogram"
)

// native returns a histogram with classic and with native buckets. The text formats
// have the classic ones, protobuf has both.
func native(s *histogram.Snapshot) *dto.Histogram {
	h := &dto.Histogram{
		SampleCount: &s.Count, SampleSum: &s.Sum,
		Schema: proto.Int32(histogram.Schema), ZeroThreshold: proto.Float64(histogram.ZeroThreshold), ZeroCount: &s.Zero,
	}
	for i := range s.Buckets {
		h.Bucket = append(h.Bucket, &dto.Bucket{UpperBound: &histogram.Bounds[i], CumulativeCount: &s.Buckets[i]})
	}
	var before int64 // count in the bucket before
	end := 0         // index after the bucket before
	for n, i := range slices.Sorted(maps.Keys(s.Native)) {
		if n == 0 || i > end {
			h.PositiveSpan = append(h.PositiveSpan, &dto.BucketSpan{Offset: proto.Int32(int32(i - end)), Length: proto.Uint32(0)})
		}
		*h.PositiveSpan[len(h.PositiveSpan)-1].Length++
		h.PositiveDelta = append(h.PositiveDelta, int64(s.Native[i])-before)
		before, end = int64(s.Native[i]), i+1
	}
	if len(h.PositiveSpan) == 0 { // an empty span marks a native histogram
		h.PositiveSpan = []*dto.BucketSpan{{Offset: proto.Int32(0), Length: proto.Uint32(0)}}
	}
	return h
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
