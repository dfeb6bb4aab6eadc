package ipvs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// A realserver that answers at its own address, but does not have the VIPs, is found
// dead by checks through the VIPs, of IPv4 and IPv6: by the MASTER, which has the VIPs
// itself, and by the BACKUP.
func TestChecksThroughTheVIP(t *testing.T) {
	for _, c := range []struct{ name, forward, method string }{
		{"dr", "dr", "dr"},
		{"tun", "tun", "tun"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := lab.NewPair(t, 2)
			direct(p)
			for i, h := range p.Realservers {
				h.Address("eth1", fmt.Sprintf("2001:db8:a::%d/64", 11+i))
				realserver(t, h, "--vip", lab.VIP6, "--method", c.method)
				h.ServeHTTP(":80")
			}
			for _, h := range p.Directors {
				h.Sysctl("net/ipv4/conf/all/rp_filter", "1") // a distribution's default
			}
			settings := func(h *lab.Host) string {
				return h.Run("sysctl", "-a", "-r", `ipv4.conf.(all|eth.)\.(accept_local|rp_filter)`)
			}
			before := settings(p.Directors[1])
			options := "forward = \"" + c.forward + "\"\n" + check + "via = \"vip\"\n"
			daemons := startBoth(t, p, service("web", web, options, rs1, rs2)+service("web6", web6, options, rs1v6, rs2v6))
			await := func(d *lab.Daemon, one, two string) {
				t.Helper()
				d.AwaitServer(t, "web", rs1, one)
				d.AwaitServer(t, "web", rs2, two)
				d.AwaitServer(t, "web6", rs1v6, one)
				d.AwaitServer(t, "web6", rs2v6, two)
			}
			for _, d := range daemons {
				await(d, "up", "up")
			}
			p.Router.AwaitServers(t, 20*time.Second, web6, "rs1", "rs2")
			p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")

			if out, err := p.Realservers[0].Realserver("down"); err != nil {
				t.Fatalf("realserver down: %v\n%s", err, out)
			}
			for i, d := range daemons {
				await(d, "down", "up")
				for _, own := range []string{rs1, rs1v6} {
					if _, name, err := p.Directors[i].Get(own, 5*time.Second); err != nil || name != "rs1" {
						t.Errorf("%s gets from rs1's own address %s: %q, %v", p.Directors[i].Name, own, name, err)
					}
				}
			}
			if out, _, _ := daemons[0].CLI("status", "lvs"); strings.Contains(out, "fwmark") || strings.Contains(out, "not ours") {
				t.Errorf("status shows the services of the checks:\n%s", out)
			}
			realserver(t, p.Realservers[0], "--vip", lab.VIP6, "--method", c.method)
			for _, d := range daemons {
				await(d, "up", "up")
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
