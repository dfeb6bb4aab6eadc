package integration_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"holdfast/integration/lab"
)

// "holdfast realserver up" as systemd and administrators call it: at the same time, on
// a host that is not as it should be, and wrongly. It never says that it did what it
// did not, and "down" puts everything back.
func TestRealserverOnBadTerms(t *testing.T) {
	t.Parallel()
	h := lab.NewPair(t, 1).Directors[0]
	kernel := func() string {
		return h.Run("ip", "-o", "addr") + h.Run("sysctl", "-a", "-r", `arp_ignore|arp_announce`)
	}
	before := kernel()

	var units sync.WaitGroup
	for i := range 10 {
		units.Go(func() {
			if out, err := h.Realserver("up", "--vip", fmt.Sprintf("10.0.0.%d", 150+i)); err != nil {
				t.Errorf("unit %d: %v\n%s", i, err, out)
			}
		})
	}
	units.Wait()
	if out, err := h.Realserver("status"); err != nil {
		t.Errorf("status: %v\n%s", err, out)
	}

	for _, c := range []struct{ name, breaks, mends, vip, want string }{
		{"the VIP moved to an interface", "ip addr del 10.0.0.150/32 dev lo; ip addr add 10.0.0.150/32 dev eth0",
			"ip addr del 10.0.0.150/32 dev eth0", "10.0.0.150", "10.0.0.150/32 on eth0 too"},
		{"IPv6 is off", "sysctl -qw net.ipv6.conf.lo.disable_ipv6=1", "sysctl -qw net.ipv6.conf.lo.disable_ipv6=0",
			"2001:db8::1", "net.ipv6.conf.lo.disable_ipv6 must be 0"},
	} {
		h.Run("sh", "-c", c.breaks)
		if out, err := h.Realserver("up", "--vip", c.vip); err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v, want %q in\n%s", c.name, err, c.want, out)
		}
		h.Run("sh", "-c", c.mends)
	}
	if out, err := h.Realserver("up", "--vip", "10.0.0.160", "--device", "eth0"); err == nil || !strings.Contains(out, "use lo or a new name") {
		t.Errorf("a VIP on eth0: %v\n%s", err, out)
	}

	out, err := h.Realserver("down")
	if err != nil || strings.Contains(out, "2001:db8::1") || strings.Contains(out, "10.0.0.150") || strings.Contains(out, "10.0.0.160") {
		t.Errorf("down: %v, and it tells of what was not there\n%s", err, out)
	}
	if after := kernel(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}
