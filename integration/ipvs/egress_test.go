package ipvs_test

import (
	"net/netip"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// With egress the answers of realservers behind NAT reach the client from the
// virtual MAC too, also when the director does not know the client.
func TestNATEgress(t *testing.T) {
	p := lab.NewPair(t, 1)
	p.Realservers[0].ServeHTTP(rs1)
	p.Realservers[1].ServeHTTP(rs2)
	wire := p.Directors[0].Wires["eth0"].Capture()
	options := lab.Director{
		Priority: 200, Interval: 200 * time.Millisecond, Options: "egress = true\n",
		More: service("web", web, check, rs1, rs2),
	}
	p.Directors[0].Holdfast(options.TOML()).AwaitState(t, "MASTER")
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")
	p.Directors[0].FlushNeighbours()
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")
	kinds := map[string]int{}
	for _, f := range wire.Frames(func(f lab.Frame) bool { return f.FromHost }) {
		if from, ok := f.Speaker(); ok && from == netip.MustParseAddr(lab.VIP) {
			kinds[f.Kind()]++
			if f.Source() != lab.VirtualMAC(51) {
				t.Errorf("%s of the virtual address from %v", f.Kind(), f.Source())
			}
		}
	}
	if kinds["tcp"] == 0 || kinds["arp"] == 0 {
		t.Errorf("what was seen of the virtual address: %v", kinds)
	}
}
