package ipvs_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// A director that cannot reach its realservers hands over to one that can, although
// VRRP sees no fault, and takes over again when it can reach them.
func TestServiceTracking(t *testing.T) {
	p := lab.NewPair(t, 2)
	for _, h := range p.Realservers {
		h.ServeHTTP(":80")
	}
	more := "track = [\"web\"]\n[[track]]\nname = \"web\"\ntype = \"service\"\nservice = \"web\"\n\n" +
		service("web", web, check, rs1, rs2)
	daemons := start(t, p, more)
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")

	// Only what goes to the realservers is lost: adverts pass both wires.
	first := p.Directors[0]
	unreachable := []string{"192.168.0.11/32", "192.168.0.12/32"}
	first.Run("ip", "route", "add", "blackhole", unreachable[0])
	daemons[0].AwaitServer(t, "web", rs1, "down")
	daemons[0].AwaitState(t, "MASTER") // one server is enough
	first.Run("ip", "route", "add", "blackhole", unreachable[1])
	daemons[0].AwaitState(t, "FAULT")
	daemons[1].AwaitState(t, "MASTER")
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")
	text, _, _ := daemons[0].CLI("status", "vrrp") // exits with 1 in FAULT
	if want := "tracker web is down: service web is down: 0 of 2 servers are up"; !strings.Contains(text, want) {
		t.Errorf("the status does not say %q:\n%s", want, text)
	}

	for _, prefix := range unreachable {
		first.Run("ip", "route", "del", "blackhole", prefix)
	}
	daemons[0].AwaitState(t, "MASTER")
	daemons[1].AwaitState(t, "BACKUP")
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")
}
