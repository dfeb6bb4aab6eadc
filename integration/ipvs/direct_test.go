package ipvs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// realserver makes the host a realserver of DR or TUN for the VIP.
func realserver(t *testing.T, h *lab.Host, args ...string) {
	t.Helper()
	if out, err := h.Realserver("up", append([]string{"--vip", lab.VIP}, args...)...); err != nil {
		t.Fatalf("realserver up: %v\n%s", err, out)
	}
	if out, err := h.Realserver("status"); err != nil {
		t.Fatalf("realserver status: %v\n%s", err, out)
	}
}

// direct gives the realservers a way back that avoids the director: a leg in
// the outside network.
func direct(p *lab.Pair) {
	for i, h := range p.Realservers {
		h.Plug(p.Outside, "eth1", fmt.Sprintf("10.0.0.%d/24", 11+i))
	}
}

// DR: the director only changes the frame's destination; answers go straight
// to the client.
func TestDirectRouting(t *testing.T) {
	p := lab.NewPair(t, 2)
	direct(p)
	for _, h := range p.Realservers {
		realserver(t, h)
		h.ServeHTTP(":80")
	}
	daemons := start(t, p, service("web", web, "forward = \"dr\"\n"+check, rs1, rs2))
	awaitTable(t, p.Directors[0], "-r "+rs1+" -g", "-r "+rs2+" -g")
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")
	p.Directors[0].PowerCut()
	daemons[1].AwaitState(t, "MASTER")
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")
}

// TUN: packets travel in a tunnel to the realserver, which unpacks them.
func TestTunnel(t *testing.T) {
	p := lab.NewPair(t, 1)
	direct(p)
	for _, h := range p.Realservers {
		h.ServeHTTP(":80")
		h.Sysctl("net/ipv4/conf/all/rp_filter", "1") // a distribution's default
	}
	text := func(tunnel, options string) string {
		return config(0, service("web", web, "forward = \"tun\"\ntunnel = \""+tunnel+"\"\n"+options+check, rs1, rs2))
	}
	daemon := start(t, p, service("web", web, "forward = \"tun\"\n"+check, rs1, rs2))[0]
	for _, c := range []struct{ tunnel, options, want string }{
		{"ipip", "", " -i"},
		{"gre", "", " -i -w 1 --tun-type gre"},
		{"gue", "tunnel_port = 6080\n", " -i -w 1 --tun-type gue --tun-port 6080"},
	} {
		t.Run(c.tunnel, func(t *testing.T) {
			daemon.Configure(text(c.tunnel, c.options))
			if err := daemon.Reload(); err != nil {
				t.Fatal(err)
			}
			args := []string{"--method", "tun", "--tunnel", c.tunnel}
			if c.tunnel == "gue" {
				args = append(args, "--tunnel-port", "6080")
			}
			for _, h := range p.Realservers {
				realserver(t, h, args...)
			}
			awaitTable(t, p.Directors[0], "-r "+rs1+c.want, "-r "+rs2+c.want)
			p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")
			for _, h := range p.Realservers {
				if out, err := h.Realserver("down"); err != nil {
					t.Fatalf("realserver down: %v\n%s", err, out)
				}
			}
		})
	}
}

// What "realserver up" changes, "realserver down" puts back, and "realserver status"
// finds what somebody breaks in between.
func TestRealserverCommand(t *testing.T) {
	h := lab.NewPair(t, 1).Realservers[0]
	h.Sysctl("net/ipv4/conf/all/arp_announce", "1")
	kernel := func() string {
		return h.Run("ip", "-o", "addr") + h.Run("ip", "-o", "link", "show", "up") + h.Run("sysctl", "-a", "-r", `arp_|rp_filter`)
	}
	before := kernel()
	realserver(t, h, "--method", "tun")
	realserver(t, h, "--method", "tun") // again: nothing to change
	if out, err := h.Realserver("up", "--vip", "10.0.0.101", "--device", "vips"); err != nil {
		t.Fatalf("a second VIP: %v\n%s", err, out)
	}
	for _, c := range []struct{ name, destroy, heal, want string }{
		{"ARP", "sysctl -qw net.ipv4.conf.all.arp_ignore=0", "sysctl -qw net.ipv4.conf.all.arp_ignore=1", "answers ARP for the VIPs on eth0"},
		{"announcement", "sysctl -qw net.ipv4.conf.all.arp_announce=0", "sysctl -qw net.ipv4.conf.all.arp_announce=2", "announces the VIPs on eth0"},
		{"device", "ip link set tunl0 down", "ip link set tunl0 up", "tunl0 is down"},
		{"address", "ip addr del 10.0.0.100/32 dev tunl0", "ip addr add 10.0.0.100/32 dev tunl0", "does not have 10.0.0.100"},
		{"second address", "ip addr add 10.0.0.100/24 dev eth0", "ip addr del 10.0.0.100/24 dev eth0", "is an address of eth0"},
		{"mask", "ip addr add 10.0.0.100/24 dev lo", "ip addr del 10.0.0.100/24 dev lo", "prefix of 24 bits"},
		{"rp_filter", "sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.tunl0.rp_filter=0", "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.tunl0.rp_filter=2", "rp_filter of tunl0 is 1"},
	} {
		h.Run("sh", "-c", c.destroy)
		out, err := h.Realserver("status")
		if err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v, want %q in\n%s", c.name, err, c.want, out)
		}
		h.Run("sh", "-c", c.heal)
	}
	if out, err := h.Realserver("status"); err != nil {
		t.Errorf("after all is healed: %v\n%s", err, out)
	}
	if out, err := h.Realserver("down"); err != nil {
		t.Errorf("down: %v\n%s", err, out)
	}
	if after := kernel(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// Every scheduler, protocol and persistence that the configuration knows
// reaches the kernel.
func TestSettingsReachTheKernel(t *testing.T) {
	p := lab.NewPair(t, 1)
	none := "[service.check]\ntype = \"none\"\n"
	var more strings.Builder
	var want []string
	for i, scheduler := range []string{"rr", "wrr", "lc", "wlc", "sed", "nq", "dh", "sh", "lblc", "lblcr", "mh", "fo", "ovf"} {
		address := fmt.Sprintf("%s:%d", lab.VIP, 1000+i)
		text := service(scheduler, address, none, "192.168.0.11:80")
		more.WriteString(strings.Replace(text, `scheduler = "rr"`, fmt.Sprintf("scheduler = %q", scheduler), 1))
		want = append(want, "-A -t "+address+" -s "+scheduler)
	}
	more.WriteString(service("dns", lab.VIP+":53", "protocol = \"udp\"\npersistence = \"5m\"\n"+none, "192.168.0.11:53"))
	want = append(want, "-A -u "+lab.VIP+":53 -s rr -p 300")
	more.WriteString(strings.Replace(service("mark", "x", none, "192.168.0.11:0"), `address = "x"`, "mark = 7", 1))
	want = append(want, "-A -f 7 -s rr")
	start(t, p, more.String())
	awaitTable(t, p.Directors[0], want...)
}
