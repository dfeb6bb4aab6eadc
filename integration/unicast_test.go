package integration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// outside is holdfast's configuration of one virtual router on the outer wire.
func outside(version, priority int, options string) string {
	return fmt.Sprintf("[[vrrp]]\nname = \"outside\"\ninterface = \"eth0\"\nvrid = 51\nversion = %d\npriority = %d\ninterval = %q\n"+
		"addresses = [\"%s/24\"]\n%s\n", version, priority, peerInterval(version), lab.VIP, options)
}

// theirs is keepalived's configuration of the same.
func theirs(version, priority int, options string) string {
	config := lab.KeepalivedConfig(false, lab.VirtualRouter{
		Name: "outside", Version: version, Interface: "eth0", VRID: 51, Priority: priority,
		Interval: peerInterval(version), Addresses: []string{lab.VIP + "/24"},
	})
	return strings.Replace(config, "\tvirtual_ipaddress", options+"\n\tvirtual_ipaddress", 1)
}

// advertsAre matches adverts to a destination, by unicast or multicast.
func advertsAre(multicast bool) func(lab.Frame) bool {
	return func(f lab.Frame) bool {
		a, ok := f.Advert()
		return ok && a.VRID == 51 && multicast == (f.Destination()[0]&1 == 1)
	}
}

// Adverts of a router that is not among the peers are refused, whatever its priority.
func TestUnlistedRouterIsRefused(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	wire := p.Directors[1].Wires["eth0"].Capture()
	mine := p.Directors[0].Holdfast(outside(3, 100, "peers = [\"10.0.0.77\"]"))
	mine.AwaitState(t, "MASTER")
	p.Directors[1].Keepalived(theirs(3, 200, ""))
	wire.Await(t, 20*time.Second, "adverts of keepalived", 10, lab.Advertised(51))
	mine.AwaitState(t, "MASTER")
	s, err := mine.Status()
	if err != nil {
		t.Fatal(err)
	}
	if n := s.VRRP[0].Counters.Dropped["peer"]; n == 0 {
		t.Errorf("dropped: %v", s.VRRP[0].Counters.Dropped)
	}
}

// Reloads of one director after the other change from multicast to unicast and add
// authentication, without a transition.
func TestReloadToUnicast(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	own := []string{"10.0.0.2", "10.0.0.3"}
	var daemons []*lab.Daemon
	for i, host := range p.Directors {
		daemons = append(daemons, host.Holdfast(outside(3, 200-100*i, "")))
		daemons[i].AwaitState(t, []string{"MASTER", "BACKUP"}[i])
	}
	before := transitions(t, daemons[0]) + transitions(t, daemons[1])
	wire := p.Directors[0].Wires["eth0"].Capture()
	const key = "auth = { type = \"hmac\", keys = [{ id = 1, secret = \"0123456789abcdef0123456789abcdef\" }], mode = %q }\n"
	step := func(config func(i int) string) {
		t.Helper()
		for i, d := range daemons {
			d.Configure(outside(3, 200-100*i, config(i)))
			if err := d.Reload(); err != nil {
				t.Fatal(err)
			}
		}
	}
	unicast := func(i int) string { return fmt.Sprintf("unicast = true\npeers = [%q]\n", own[1-i]) }
	step(unicast)
	for _, mode := range []string{"receive-only", "permissive", "enforce"} {
		step(func(i int) string { return unicast(i) + fmt.Sprintf(key, mode) })
		n := wire.Count(advertsAre(false))
		wire.Await(t, 20*time.Second, "adverts by unicast", n+8, advertsAre(false))
	}
	if after := transitions(t, daemons[0]) + transitions(t, daemons[1]); after != before {
		t.Errorf("%d transitions", after-before)
	}
	daemons[0].Crash()
	daemons[1].AwaitState(t, "MASTER")
}
