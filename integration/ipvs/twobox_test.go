package ipvs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

const (
	box1 = "10.0.0.2:80"
	box2 = "10.0.0.3:80"
)

// towardsVIP reports whether a frame carries TCP from the router to the VIP.
func towardsVIP(f lab.Frame) bool {
	const ip = 14
	return f.Kind() == "tcp" && string(f.Bytes[ip+12:ip+16]) == "\x0a\x00\x00\x01" && string(f.Bytes[ip+16:ip+20]) == "\x0a\x00\x00\x64"
}

// served counts the connections that IPVS of a host gave to a server.
func served(t *testing.T, h *lab.Host, server string) (connections int) {
	t.Helper()
	for line := range strings.Lines(h.Run("ipvsadm", "-Ln", "--stats", "--exact")) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "->" && fields[1] == server {
			if _, err := fmt.Sscan(fields[2], &connections); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		}
	}
	return connections
}

// Two boxes are directors and realservers at once. The MASTER gives half of the
// connections to the other one by direct routing. That one must serve them itself and
// not give them back: its table has no service while it is BACKUP.
func TestTwoBoxes(t *testing.T) {
	p := lab.NewPair(t, 2)
	for _, h := range p.Directors {
		realserver(t, h)
		h.ServeHTTP(":80")
	}
	boxes := service("web", web, "forward = \"dr\"\nactive = \"master\"\n"+check, box1, box2)
	daemons := start(t, p, boxes)
	for _, d := range daemons {
		d.AwaitServer(t, "web", box1, "up")
		d.AwaitServer(t, "web", box2, "up")
	}
	serveFromBoth(t, p, 0)
	// The other way round.
	daemons[0].Stop()
	daemons[1].AwaitState(t, "MASTER")
	daemons[0].Configure(lab.Director{Priority: 100, Interval: 200 * time.Millisecond, More: boxes}.TOML())
	daemons[0].Restart()
	daemons[0].AwaitState(t, "BACKUP")
	serveFromBoth(t, p, 1)
	if out, _, err := daemons[0].CLI("status"); err != nil {
		t.Errorf("status of a box: %v\n%s", err, out)
	}
}

// serveFromBoth has the MASTER give connections to both boxes, and looks where their
// packets go.
func serveFromBoth(t *testing.T, p *lab.Pair, master int) {
	t.Helper()
	host, other := p.Directors[master], p.Directors[1-master]
	p.Router.AwaitServers(t, 20*time.Second, web, "lvs1", "lvs2")
	if table := other.Run("ipvsadm", "-Sn"); table != "" {
		t.Errorf("the table of %s, which is BACKUP:\n%s", other.Name, table)
	}
	before := [2]int{served(t, host, box1), served(t, host, box2)}
	sent, returned := host.Wires["eth0"].Capture(), other.Wires["eth0"].Capture()
	const all = 20
	for range all {
		if _, _, err := p.Router.Get(web, 5*time.Second); err != nil {
			t.Errorf("with %s as MASTER: %v", host.Name, err)
		}
	}
	// The kernel adds up its counters every two seconds. A connection that takes long to end
	// has the scheduler give the next one to the other server.
	lab.Wait(t, 10*time.Second, "counters of "+host.Name, func() (string, bool) {
		a, b := served(t, host, box1)-before[0], served(t, host, box2)-before[1]
		return fmt.Sprintf("%d connections to lvs1, %d to lvs2", a, b), a+b >= all && min(a, b) >= all/4
	})
	forwarded := sent.Count(func(f lab.Frame) bool { return f.FromHost && towardsVIP(f) })
	back := returned.Count(func(f lab.Frame) bool { return f.FromHost && towardsVIP(f) })
	if forwarded == 0 || back != 0 {
		t.Errorf("%s as MASTER sent %d packets of clients on, and %s sent %d back", host.Name, forwarded, other.Name, back)
	}
}
