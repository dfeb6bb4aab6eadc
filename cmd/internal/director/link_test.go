package director

import (
	"testing"
	"time"
)

func TestUntilNextLook(t *testing.T) {
	for name, c := range map[string]struct{ took, limit, want time.Duration }{
		"few devices":       {time.Millisecond, 10 * time.Second, lookPause},
		"many devices":      {30 * time.Millisecond, 10 * time.Second, 10 * time.Second},
		"more than that":    {time.Second, 10 * time.Second, 10 * time.Second},
		"often on request":  {time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond},
		"request with many": {30 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond},
	} {
		if got := untilNextLook(c.took, c.limit); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
