package ipvs_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// A realserver that answers at its own address, but does not have the VIP, is found
// dead by a check through the VIP: by the MASTER, which has the VIP itself, and by
// the BACKUP.
func TestChecksThroughTheVIP(t *testing.T) {
	for _, c := range []struct{ name, forward, method string }{
		{"dr", "dr", "dr"},
		{"tun", "tun", "tun"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := lab.NewPair(t, 2)
			direct(p)
			for _, h := range p.Realservers {
				realserver(t, h, "--method", c.method)
				h.ServeHTTP(":80")
			}
			for _, h := range p.Directors {
				h.Sysctl("net/ipv4/conf/all/rp_filter", "1") // a distribution's default
			}
			settings := func(h *lab.Host) string {
				return h.Run("sysctl", "-a", "-r", `ipv4.conf.(all|eth.)\.(accept_local|rp_filter)`)
			}
			before := settings(p.Directors[1])
			daemons := start(t, p, service("web", web, "forward = \""+c.forward+"\"\n"+check+"via = \"vip\"\n", rs1, rs2))
			for _, d := range daemons {
				d.AwaitServer(t, "web", rs1, "up")
				d.AwaitServer(t, "web", rs2, "up")
			}
			p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")

			if out, err := p.Realservers[0].Realserver("down"); err != nil {
				t.Fatalf("realserver down: %v\n%s", err, out)
			}
			for i, d := range daemons {
				d.AwaitServer(t, "web", rs1, "down")
				d.AwaitServer(t, "web", rs2, "up")
				if _, name, err := p.Directors[i].Get(rs1, 5*time.Second); err != nil || name != "rs1" {
					t.Errorf("%s gets from rs1's own address: %q, %v", p.Directors[i].Name, name, err)
				}
			}
			if out, _, _ := daemons[0].CLI("status", "lvs"); strings.Contains(out, "fwmark") || strings.Contains(out, "not ours") {
				t.Errorf("status shows the services of the checks:\n%s", out)
			}
			realserver(t, p.Realservers[0], "--method", c.method)
			for _, d := range daemons {
				d.AwaitServer(t, "web", rs1, "up")
			}

			daemons[1].Stop()
			if table := p.Directors[1].Run("ipvsadm", "-Sn"); table != "" {
				t.Errorf("a stop left\n%s", table)
			}
			if after := settings(p.Directors[1]); after != before {
				t.Errorf("sysctls before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}
