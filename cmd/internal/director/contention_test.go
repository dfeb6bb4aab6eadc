package director

import (
	"net/netip"
	"testing"
	"time"

	"holdfast/lvs"
)

// A service is in contention while it was repaired three times within the window.
func TestContention(t *testing.T) {
	web := lvs.Service{Key: lvs.Key{Protocol: lvs.TCP, Address: netip.MustParseAddrPort("10.0.0.1:80")}}
	mark := lvs.Service{Key: lvs.Key{Mark: 7}}
	drift := func(s lvs.Service) lvs.Change { return lvs.Change{Op: lvs.Op{Service: s}, Drift: true} }
	start := time.Now()
	at := start.Add
	c := contention{}
	want := func(d time.Duration, want bool) {
		t.Helper()
		if got := c.of(at(d), "tcp 10.0.0.1:80"); got != want {
			t.Errorf("after %v: %v, want %v", d, got, want)
		}
		if c.of(at(d), "fwmark 7") {
			t.Errorf("after %v: the other service is in contention", d)
		}
	}
	c.note(at(0), []lvs.Change{drift(web), drift(web), drift(web), drift(mark)}) // one look
	c.note(at(time.Minute), []lvs.Change{drift(web), {Op: lvs.Op{Service: mark}}})
	want(time.Minute, false)
	c.note(at(2*time.Minute), []lvs.Change{drift(web)})
	want(2*time.Minute, true)
	want(contentionWindow-1, true)
	want(contentionWindow, false)
	for range 100 {
		c.note(at(11*time.Minute), []lvs.Change{drift(web)})
	}
	want(11*time.Minute, true)
	if n := len(c["tcp 10.0.0.1:80"]); n > contentionRepairs {
		t.Errorf("%d times are kept", n)
	}
	c.note(at(time.Hour), nil)
	if len(c) != 0 {
		t.Errorf("%d services are kept for ever", len(c))
	}
}
