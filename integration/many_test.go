package integration_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// A director that takes over many addresses announces each of them after its first
// advert: in parts if nobody serves them, and all at once if another director hands
// them over.
func TestManyAddresses(t *testing.T) {
	t.Parallel()
	const many = 200
	l := lab.New(t)
	wire := l.Switch("wire")
	want := map[netip.Addr]bool{}
	var list []string
	for i := range many {
		address := fmt.Sprintf("10.1.0.%d", i+1)
		want[netip.MustParseAddr(address)] = true
		list = append(list, fmt.Sprintf("%q", address+"/32"))
	}
	var hosts []*lab.Host
	var daemons []*lab.Daemon
	for i, priority := range []int{200, 100} {
		h := l.Host(fmt.Sprintf("lvs%d", i+1))
		h.Plug(wire, "eth0", fmt.Sprintf("10.0.0.%d/24", i+2))
		hosts = append(hosts, h)
		daemons = append(daemons, h.Holdfast(fmt.Sprintf(`[[vrrp]]
name = "many"
interface = "eth0"
vrid = 51
priority = %d
interval = "100ms"
preempt = false
addresses = ["10.0.0.100/24"]
excluded_addresses = [%s]
`, priority, strings.Join(list, ", "))))
		state := "MASTER"
		if i > 0 {
			state = "BACKUP"
		}
		daemons[i].AwaitState(t, state)
	}
	takesOver := func(i int, leave func()) {
		t.Helper()
		capture := hosts[i].Wires["eth0"].CaptureAnnouncements()
		leave()
		daemons[i].AwaitState(t, "MASTER")
		ours := func() []lab.Frame { return capture.Frames(func(f lab.Frame) bool { return f.FromHost }) }
		lab.Wait(t, 20*time.Second, "announcement of all addresses", func() (string, bool) {
			said := map[netip.Addr]bool{}
			for _, f := range ours() {
				if address, mac, ok := f.Announcement(); ok && mac == lab.VirtualMAC(51) && want[address] {
					said[address] = true
				}
			}
			return fmt.Sprintf("%d of %d", len(said), many), len(said) == many
		})
		for _, f := range ours() {
			if _, advert := f.Advert(); advert {
				break
			}
			if address, _, ok := f.Announcement(); ok {
				t.Errorf("lvs%d announced %v before it said that it is MASTER", i+1, address)
				break
			}
		}
		if err := capture.Stop(); err != nil {
			t.Error(err)
		}
	}
	takesOver(1, hosts[0].Wires["eth0"].BlackHole) // both are MASTER now, and cannot hear each other
	hosts[0].Wires["eth0"].Restore()
	daemons[1].AwaitState(t, "BACKUP") // of the lower priority
	takesOver(1, func() {
		if _, stderr, err := daemons[0].CLI("handover"); err != nil {
			t.Fatalf("handover: %v: %s", err, stderr)
		}
	})
}
