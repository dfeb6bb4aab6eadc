package histogram

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Every duration is in the bucket whose bounds it lies between.
func TestObserve(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	lengths := []time.Duration{0, -time.Second, 1, 954, time.Microsecond, 100 * time.Microsecond, 100*time.Microsecond + 1, 500 * time.Millisecond, time.Second, 64 * time.Second}
	for range 2000 {
		lengths = append(lengths, time.Duration(math.Exp(random.Float64()*math.Log(float64(64*time.Second)))))
	}
	for _, d := range lengths {
		var h Histogram
		h.Observe(d)
		s := h.Snapshot()
		seconds := max(d, 0).Seconds()
		if s.Count != 1 || s.Sum != seconds {
			t.Fatalf("%v: count %d, sum %g", d, s.Count, s.Sum)
		}
		for i, n := range s.Buckets {
			if want := seconds <= Bounds[i]; (n == 1) != want {
				t.Errorf("%v: %d in the bucket up to %g", d, n, Bounds[i])
			}
		}
		if got := s.Zero == 1; got != (seconds <= ZeroThreshold) || got == (len(s.Native) == 1) {
			t.Errorf("%v: zero %d, native %v", d, s.Zero, s.Native)
		}
		for i := range s.Native {
			lower, upper := math.Exp2(float64(i-1)/perDoubling), math.Exp2(float64(i)/perDoubling)
			if seconds <= lower*(1-1e-12) || seconds > upper*(1+1e-12) {
				t.Errorf("%v is in native bucket %d, from %g to %g", d, i, lower, upper)
			}
		}
	}
}

// What is longer than any bound is in the last native bucket.
func TestObserveLong(t *testing.T) {
	var h Histogram
	h.Observe(24 * time.Hour)
	if s := h.Snapshot(); s.Count != 1 || s.Buckets[len(Bounds)-1] != 0 || s.Native[maxExponent*perDoubling] != 1 {
		t.Errorf("%+v", s)
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	var h Histogram
	d := time.Duration(1)
	if n := testing.AllocsPerRun(100, func() { h.Observe(d); d *= 2 }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestPlus(t *testing.T) {
	var both, first, second Histogram
	for i, d := range []time.Duration{0, time.Millisecond, 3 * time.Millisecond, time.Minute, time.Second} {
		both.Observe(d)
		if i < 2 {
			first.Observe(d)
		} else {
			second.Observe(d)
		}
	}
	saved, err := json.Marshal(first.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	var restored Snapshot
	if err := json.Unmarshal(saved, &restored); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(both.Snapshot(), second.Snapshot().Plus(&restored)); diff != "" {
		t.Errorf("the sum (-want +got):\n%s", diff)
	}
	var none *Snapshot
	if got := none.Plus(&restored); got != &restored || restored.Plus(nil) != &restored {
		t.Error("nil adds something")
	}
	if got := restored.Plus(&Snapshot{Count: 1, Buckets: []uint64{1}}); got.Count != 2 {
		t.Errorf("other bounds were added: %+v", got)
	}
}

func BenchmarkObserve(b *testing.B) {
	var h Histogram
	for i := range b.N {
		h.Observe(time.Duration(i&0xfffff) * 100)
	}
}
