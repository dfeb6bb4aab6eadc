package probe

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"
)

// What this host cannot send is told apart from what the server refuses.
func TestUnsent(t *testing.T) {
	for name, c := range map[string]struct {
		dial   Dial
		unsent bool
	}{
		"refused":                      {Dial{}, false},
		"a source that is not here":    {Dial{Source: netip.MustParseAddr("192.0.2.1")}, true},
		"a device that does not exist": {Dial{Device: "nosuchdevice"}, true},
	} {
		to := Target{Address: netip.MustParseAddrPort("127.0.0.1:1"), Dial: c.dial, Timeout: time.Second}
		ctx, cancel := context.WithTimeout(t.Context(), to.Timeout)
		err := new(Tools).Prober(TCP{}, to).Probe(ctx)
		cancel()
		if err == nil || errors.Is(err, ErrUnsent) != c.unsent {
			t.Errorf("%s: %v, unsent %v", name, err, errors.Is(err, ErrUnsent))
		}
	}
}
