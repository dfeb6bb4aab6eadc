package ipvs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// Dead realservers leave the table and return when they are well. When none is left,
// the fallback serves.
func TestRealserverDiesAndReturns(t *testing.T) {
	p := lab.NewPair(t, 1)
	host := p.Directors[0]
	one, two := p.Realservers[0].ServeHTTP(rs1), p.Realservers[1].ServeHTTP(rs2)
	// NAT to a loopback address is refused by the kernel (ip_vs_xmit.c), so the
	// director's own server listens on an address of its own.
	const fallback = "192.168.0.2:8080"
	sorry := host.ServeHTTP(fallback)
	daemons := start(t, p, service("web", web, "fallback = \""+fallback+"\"\n"+check, rs1, rs2))
	daemons[0].AwaitServer(t, "web", rs1, "up")
	daemons[0].AwaitServer(t, "web", rs2, "up")
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")

	one.Close() // refuses
	daemons[0].AwaitServer(t, "web", rs1, "down")
	awaitTable(t, host, "!"+rs1, "-r "+rs2+" -m")
	p.Router.AwaitServers(t, 20*time.Second, web, "rs2")

	two.SetStatus(503) // answers, but is not well
	daemons[0].AwaitServer(t, "web", rs2, "down")
	awaitTable(t, host, "!"+rs2, fallback)
	p.Router.AwaitServers(t, 20*time.Second, web, "lvs1")
	if sorry.Requests() == 0 {
		t.Error("the fallback was not asked")
	}

	two.SetStatus(200)
	p.Realservers[0].ServeHTTP(rs1)
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")
	awaitTable(t, host, "!"+fallback, rs1, rs2)

	// A wire that is cut is a death too, which only a timeout shows.
	p.Realservers[1].Wires["eth0"].Cut()
	daemons[0].AwaitServer(t, "web", rs2, "down")
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1")
}

// A quiesced server stays in the table with weight 0 and keeps its connections.
func TestQuiesce(t *testing.T) {
	p := lab.NewPair(t, 1)
	host := p.Directors[0]
	one := p.Realservers[0].ServeHTTP(rs1)
	p.Realservers[1].ServeHTTP(rs2)
	daemons := start(t, p, service("web", web, "on_down = \"quiesce\"\n"+check, rs1, rs2))
	awaitTable(t, host, "-r "+rs1+" -m -w 1", "-r "+rs2+" -m -w 1")
	one.SetStatus(500)
	daemons[0].AwaitServer(t, "web", rs1, "down")
	awaitTable(t, host, "-r "+rs1+" -m -w 0", "-r "+rs2+" -m -w 1")
	p.Router.AwaitServers(t, 20*time.Second, web, "rs2")
	one.SetStatus(200)
	awaitTable(t, host, "-r "+rs1+" -m -w 1")
}

// synced is a line server behind the directors, whose connections are copied.
func synced() string {
	return "[lvs.sync]\ninterface = \"eth1\"\nid = 7\n\n" +
		service("lines", lines, "[service.check]\ntype = \"tcp\"\ninterval = \"500ms\"\ntimeout = \"400ms\"\n", "192.168.0.11:7", "192.168.0.12:7")
}

// A TCP connection through NAT lives on when its director dies, and neither
// the router nor the realservers see another MAC address.
func TestConnectionSurvivesItsDirector(t *testing.T) {
	for _, c := range []struct {
		name string
		die  func(p *lab.Pair, d *lab.Daemon)
	}{
		{"power cut", func(p *lab.Pair, _ *lab.Daemon) { p.Directors[0].PowerCut() }},
		{"stop", func(_ *lab.Pair, d *lab.Daemon) { d.Stop() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := lab.NewPair(t, 2)
			vip, dip := p.Router.WatchNeighbour(lab.VIP), p.Realservers[0].WatchNeighbour(lab.DIP)
			for _, h := range p.Realservers {
				h.ServeLines(":7")
			}
			daemons := start(t, p, synced())
			for i, role := range []string{"master", "backup"} {
				daemons[i].Await(t, "sync "+role, func(s lab.Status) (string, bool) {
					return fmt.Sprint(s.LVS.Sync.Roles), fmt.Sprint(s.LVS.Sync.Roles) == "["+role+"]"
				})
			}
			awaitTable(t, p.Directors[0], "192.168.0.11:7", "192.168.0.12:7")
			awaitTable(t, p.Directors[1], "192.168.0.11:7", "192.168.0.12:7")
			talk := p.Router.Converse(t, lines)
			server, err := talk.Say(5 * time.Second)
			if err != nil {
				t.Fatal(err)
			}
			awaitCopied(t, p, talk)

			c.die(p, daemons[0])
			for range 30 {
				name, err := talk.Say(10 * time.Second)
				if err != nil || name != server {
					t.Fatalf("line %d: answer of %q (%v), want %s", talk.Lines(), name, err, server)
				}
			}
			daemons[1].AwaitState(t, "MASTER")
			daemons[1].Await(t, "sync master", func(s lab.Status) (string, bool) {
				return fmt.Sprint(s.LVS.Sync.Roles), fmt.Sprint(s.LVS.Sync.Roles) == "[master]"
			})
			if vip.Changes() != 0 || dip.Changes() != 0 || len(vip.Seen()) == 0 {
				t.Errorf("the router saw %v, rs1 %v", vip, dip)
			}
		})
	}
}

// awaitCopied talks until the second director knows the connection: IPVS copies
// one at its third packet, about once a second.
func awaitCopied(t *testing.T, p *lab.Pair, talk *lab.Conversation) {
	t.Helper()
	lab.Wait(t, 20*time.Second, "a copy of the connection", func() (string, bool) {
		if _, err := talk.Say(5 * time.Second); err != nil {
			return err.Error(), false
		}
		table := p.Directors[1].Run("ipvsadm", "-Lnc")
		return table, strings.Contains(table, "ESTABLISHED") && strings.Contains(table, lab.RouterIP)
	})
}

// A reload that adds and removes other servers breaks no connection and loses
// no request.
func TestReloadUnderTraffic(t *testing.T) {
	p := lab.NewPair(t, 1)
	host := p.Directors[0]
	for _, h := range p.Realservers {
		h.ServeHTTP(":80")
		h.ServeLines(":7")
	}
	talk := service("lines", lines, "[service.check]\ntype = \"none\"\n", "192.168.0.11:7")
	daemons := start(t, p, talk+service("web", web, check, rs1))
	daemons[0].AwaitServer(t, "web", rs1, "up")
	conversation := p.Router.Converse(t, lines)
	for round := range 4 {
		servers := []string{rs1, rs2}[:1+round%2]
		daemons[0].Configure(config(0, talk+service("web", web, check, servers...)))
		if err := daemons[0].Reload(); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if _, _, err := p.Router.Get(web, 5*time.Second); err != nil {
				t.Errorf("a request failed around a reload: %v", err)
			}
			if _, err := conversation.Say(5 * time.Second); err != nil {
				t.Fatalf("the connection broke at a reload: %v", err)
			}
		}
	}
	daemons[0].AwaitServer(t, "web", rs2, "up")
	awaitTable(t, host, rs1, rs2, "192.168.0.11:7")
}

// IPv6 and UDP services are served like any other.
func TestIPv6(t *testing.T) {
	p := lab.NewPair(t, 1)
	for _, h := range p.Realservers {
		h.ServeHTTP("[::]:80")
	}
	d := p.Directors[0].Holdfast(lab.Director{
		Priority: 200, Interval: 200 * time.Millisecond, IPv6: true,
		More: service("web6", web6, check, rs1v6, rs2v6),
	}.TOML())
	d.AwaitState(t, "MASTER")
	p.Router.AwaitServers(t, 20*time.Second, web6, "rs1", "rs2")
}
