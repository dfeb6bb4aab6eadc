package speaker

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"holdfast/vrrp"
)

// crowded returns a speaker with a thousand virtual routers, whose loop does not run.
func crowded(t testing.TB) *Speaker {
	t.Helper()
	s := New(Options{Order: func([]Order) {}, Report: func(Report) {}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	h := &host{port: &fakePort{own: netip.MustParseAddr("192.0.2.1")}}
	for i := range 1000 {
		r := h.router(fmt.Sprintf("router-%d", i), uint8(i%250+1), 200)
		r.Tx.IfIndex = i/250 + 1
		r.Events = []vrrp.Event{vrrp.Start{}}
		if err := s.add(time.Now(), &Unit{Routers: []Router{r}}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// copyNow is Snapshot without a loop.
func (s *Speaker) copyNow(now time.Time) Snapshot {
	c := newCopying(s.copied.Load())
	c.copy(now, s)
	return c.snapshot()
}

// The loop allocates next to nothing for a snapshot, but for the first. A thousand
// routers would be 2 MB, and the loop would have to help with garbage collection.
func TestSnapshotAllocatesBefore(t *testing.T) {
	s := crowded(t)
	first := newCopying(nil)
	first.copy(time.Now(), s)
	s.copied.Store(&sizes{len(first.statuses), len(first.paths), len(first.names)})
	const runs = 10
	var made []*copying
	for range runs + 1 { // AllocsPerRun has one more
		made = append(made, newCopying(s.copied.Load()))
	}
	allocations := testing.AllocsPerRun(runs, func() {
		made[0].copy(time.Now(), s)
		made = made[1:]
	})
	if allocations > 10 {
		t.Errorf("the loop allocates %v times for %d routers", allocations, len(first.statuses))
	}
}

// BenchmarkSnapshot is what the loop does for one.
func BenchmarkSnapshot(b *testing.B) {
	s := crowded(b)
	c := newCopying(&sizes{1000, 1000, 0})
	b.ReportAllocs()
	for b.Loop() {
		c.statuses, c.paths = c.statuses[:0], c.paths[:0]
		c.copy(time.Now(), s)
	}
}
