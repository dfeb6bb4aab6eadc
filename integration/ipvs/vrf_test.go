package ipvs_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// A route of a VRF is in the VRF device's table once that device exists, and moves
// when the device's table changes.
func TestRouteOfVRF(t *testing.T) {
	p := lab.NewPair(t, 2)
	more := `
[[vrrp]]
name = "third"
interface = "eth0"
vrid = 53
priority = 200
interval = "100ms"
addresses = ["10.0.0.103/24"]
[[vrrp.route]]
to = "10.60.0.0/16"
via = "10.0.0.1"
vrf = "red"
`
	director := p.Directors[0]
	daemon := director.Holdfast(lab.Director{Priority: 200, Interval: 100 * time.Millisecond}.TOML() + more)
	daemon.AwaitState(t, "MASTER")
	says := func(want string) {
		t.Helper()
		lab.Wait(t, 20*time.Second, "the status says "+want, func() (string, bool) {
			text, _, _ := daemon.CLI("status", "vrrp")
			return text, strings.Contains(strings.Join(strings.Fields(text), " "), want)
		})
	}
	says("VRF device red does not exist")
	for _, table := range []string{"77", "78"} {
		director.Run("ip", "link", "add", "red", "type", "vrf", "table", table)
		lab.Wait(t, 20*time.Second, "the route is in table "+table, func() (string, bool) {
			text, _ := director.Try("ip", "route", "show", "table", table)
			return text, strings.Contains(text, "10.60.0.0/16 via 10.0.0.1 dev vrrp4-53 proto 112")
		})
		says("there route 10.60.0.0/16 via 10.0.0.1 vrf red")
		director.Run("ip", "link", "del", "red")
	}
	if text, _ := director.Try("ip", "route", "show", "table", "77"); text != "" {
		t.Errorf("the former table has it still:\n%s", text)
	}
}
