package director

import (
	"testing"
	"time"
)

func TestUntilNextLook(t *testing.T) {
	for name, c := range map[string]struct {
		devices     int
		bare        bool
		limit, want time.Duration
	}{
		"few devices":       {2, false, 10 * time.Second, lookPause},
		"bare devices":      {2, true, 10 * time.Second, 10 * time.Second},
		"many devices":      {50, false, 10 * time.Second, 2 * time.Second},
		"more than that":    {10_000, false, 10 * time.Second, 10 * time.Second},
		"often on request":  {2, true, 100 * time.Millisecond, 100 * time.Millisecond},
		"request with many": {1000, false, 100 * time.Millisecond, 100 * time.Millisecond},
	} {
		if got := untilNextLook(c.devices, c.bare, c.limit); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestUntilRepair(t *testing.T) {
	for name, c := range map[string]struct{ ago, want time.Duration }{
		"long ago": {time.Minute, repairDelay},
		"just now": {0, repairPause},
		"recently": {30 * time.Millisecond, 70 * time.Millisecond},
	} {
		if got := untilRepair(c.ago); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
