package integration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// egress is a virtual router whose address answers by its virtual MAC alone.
const egress = `
[[vrrp]]
name = "third"
interface = "eth0"
vrid = 53
priority = %d
interval = "100ms"
addresses = ["10.0.0.103/24"]
excluded_addresses = ["10.0.0.104/24", "2001:db8:a::104/64"]
[[vrrp.route]]
to = "10.0.0.0/24"
table = 7
source = "10.0.0.103"
[[vrrp.route]]
to = "0.0.0.0/0"
via = "10.0.0.1"
table = 7
[[vrrp.rule]]
priority = 1000
table = 7
from = "10.0.0.103/32"
`

// Routes and rules move with the MASTER, and come back when somebody takes
// them away.
func TestRoutesMoveWithTheMaster(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	more := func(priority int) string { return fmt.Sprintf(egress, priority) }
	var daemons []*lab.Daemon
	for i, host := range p.Directors {
		config := lab.Director{Priority: priorities[i], Interval: fast, More: more(priorities[i])}.TOML()
		daemons = append(daemons, host.Holdfast("reconcile_interval = \"1h\"\n\n"+config))
		daemons[i].AwaitState(t, map[int]string{0: "MASTER", 1: "BACKUP"}[i])
	}
	has := func(h *lab.Host) (string, bool) {
		text := h.Run("ip", "rule", "show") + h.Run("ip", "route", "show", "table", "all")
		return text, strings.Contains(text, "from 10.0.0.103 lookup 7") && strings.Contains(text, "default via 10.0.0.1 dev vrrp4-53 table 7")
	}
	await := func(h *lab.Host, there bool) {
		t.Helper()
		lab.Wait(t, 20*time.Second, fmt.Sprintf("routes and rules of %s are there: %v", h.Name, there), func() (string, bool) {
			text, ok := has(h)
			return text, ok == there
		})
	}
	await(p.Directors[0], true)
	await(p.Directors[1], false)

	// What the address answers leaves with the virtual MAC.
	capture := p.Directors[0].Wires["eth0"].Capture()
	probe := p.Router.Probe("10.0.0.103", 5*time.Millisecond)
	probe.AwaitAnswers(t, 20*time.Second, 20)
	fromAddress := func(f lab.Frame) bool {
		return f.FromHost && len(f.Bytes) >= 34 && f.Bytes[12] == 8 && f.Bytes[13] == 0 && string(f.Bytes[26:30]) == string([]byte{10, 0, 0, 103})
	}
	capture.Await(t, 20*time.Second, "answers", 20, fromAddress)
	for _, f := range capture.Frames(fromAddress) {
		if f.Source() != lab.VirtualMAC(53) {
			t.Fatalf("an answer of 10.0.0.103 from %v", f.Source())
		}
	}

	for _, damage := range []string{"rule del priority 1000", "route del default table 7"} {
		p.Directors[0].Run("ip", strings.Fields(damage)...)
		await(p.Directors[0], true) // the kernel reports it: the next full look is in an hour
	}

	// So do addresses that no advert names, of both families, at once.
	for _, address := range []string{"10.0.0.104", "2001:db8:a::104"} {
		excluded := p.Router.Probe(address, 5*time.Millisecond)
		defer func() { excluded.AwaitAnswers(t, 20*time.Second, 20) }() // of the last MASTER
		excluded.AwaitAnswers(t, 20*time.Second, 20)
		mac := p.Router.WatchNeighbour(address)
		defer func() {
			for _, s := range mac.Seen() {
				if s.MAC != lab.VirtualMAC(53) {
					t.Errorf("%s was at %v", address, s.MAC)
				}
			}
		}()
	}

	daemons[0].Crash()
	daemons[1].AwaitState(t, "MASTER")
	await(p.Directors[1], true)
	daemons[0].Restart()
	daemons[0].AwaitState(t, "MASTER")
	daemons[1].AwaitState(t, "BACKUP")
	await(p.Directors[0], true)
	await(p.Directors[1], false)
	probe.AwaitAnswers(t, 20*time.Second, 20)
}
