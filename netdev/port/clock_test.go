package port

import (
	"testing"
	"time"
)

// A moment is the same by both clocks, however long ago they were compared.
func TestClock(t *testing.T) {
	c := newClock()
	for range 1000 {
		before := monotonic()
		at := c.monotonic(time.Now())
		if after := monotonic(); at < before-int64(aheadTolerance/10) || at > after+int64(aheadTolerance/10) {
			t.Fatalf("%d ns before the first reading, %d after the second", before-at, at-after)
		}
	}
	if d := c.monotonic(time.Now().Add(time.Hour)) - c.monotonic(time.Now()); d < int64(59*time.Minute) || d > int64(time.Hour) {
		t.Errorf("an hour from now is %v away", time.Duration(d))
	}
}
