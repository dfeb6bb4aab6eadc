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
	at := func(d time.Duration) time.Time { return start.Add(d) }
	c := contention{}
	want := func(d time.Duration, times string) {
		t.Helper()
		text := ""
		if times != "" {
			text = "another program keeps changing it: holdfast has repaired it " + times + " times in the last 10 minutes"
		}
		if got := c.problem(at(d), "tcp 10.0.0.1:80"); got != text {
			t.Errorf("after %v: %q, want %q", d, got, text)
		}
		if got := c.problem(at(d), "fwmark 7"); got != "" {
			t.Errorf("after %v: the other service: %q", d, got)
		}
	}
	c.note(at(0), []lvs.Change{drift(web), drift(web), drift(web), drift(mark)}) // one look
	c.note(at(time.Minute), []lvs.Change{drift(web), {Op: lvs.Op{Service: mark}}})
	want(time.Minute, "")
	c.note(at(2*time.Minute), []lvs.Change{drift(web)})
	want(2*time.Minute, "3")
	want(contentionWindow-1, "3")
	want(contentionWindow, "")
	for range 10 * contentionMax {
		c.note(at(11*time.Minute), []lvs.Change{drift(web)})
	}
	want(11*time.Minute, "100")
	c.note(at(time.Hour), nil)
	if len(c) != 0 {
		t.Errorf("%d services are kept for ever", len(c))
	}
}
