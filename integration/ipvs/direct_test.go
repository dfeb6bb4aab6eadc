package ipvs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// silent makes the host keep the VIP without answering ARP for it, as a
// realserver of DR and TUN must.
func silent(h *lab.Host, device string) {
	for _, which := range []string{"all", device} {
		h.Sysctl("net/ipv4/conf/"+which+"/arp_ignore", "1")
		h.Sysctl("net/ipv4/conf/"+which+"/arp_announce", "2")
	}
	h.Address(device, lab.VIP+"/32")
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
		silent(h, "lo")
		h.ServeHTTP(":80")
	}
	daemons := start(t, p, service("web", web, "forward = \"dr\"\n"+check, rs1, rs2))
	awaitTable(t, p.Directors[0], "-r "+rs1+" -g", "-r "+rs2+" -g")
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")
	p.Directors[0].PowerCut()
	daemons[1].AwaitState(t, "MASTER")
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")
}

// TUN: packets travel in IP-in-IP to the realserver, which unpacks them.
func TestTunnel(t *testing.T) {
	p := lab.NewPair(t, 1)
	direct(p)
	for _, h := range p.Realservers {
		h.Run("modprobe", "-d", "/run/modroot", "ipip")
		h.Run("ip", "link", "set", "tunl0", "up")
		h.Sysctl("net/ipv4/conf/tunl0/rp_filter", "0")
		silent(h, "tunl0")
		h.ServeHTTP(":80")
	}
	start(t, p, service("web", web, "forward = \"tun\"\n"+check, rs1, rs2))
	awaitTable(t, p.Directors[0], "-r "+rs1+" -i", "-r "+rs2+" -i")
	p.Router.AwaitServers(t, 20*time.Second, web, "rs1", "rs2")
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
