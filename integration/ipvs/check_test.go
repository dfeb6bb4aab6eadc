package ipvs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// dnsmasq starts a name server on a realserver, which knows names in domains.
// It refuses to answer about all others.
func dnsmasq(h *lab.Host, address string, domains ...string) *lab.Process {
	args := []string{
		"--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--pid-file=",
		"--user=", "--log-facility=-", "--bind-interfaces", "--listen-address=" + address,
	}
	for _, domain := range domains {
		args = append(args, "--address=/"+domain+"/192.0.2.1")
	}
	return h.Start("dnsmasq", args...)
}

// awaitReason waits until the status of the checks tells a server's state, and,
// if it is down, why.
func awaitReason(t *testing.T, d *lab.Daemon, server, state, reason string) {
	t.Helper()
	lab.Wait(t, 20*time.Second, fmt.Sprintf("check of %s: %s %s", server, state, reason), func() (string, bool) {
		text, _, _ := d.CLI("status", "checks")
		_, own, found := strings.Cut(text, "\n  "+server+" ")
		head, rest, _ := strings.Cut(own, "\n")
		_, rest, _ = strings.Cut(rest, " ago: ") // the latest failure comes first
		last, _, _ := strings.Cut(rest, "\n")
		return text, found && strings.Contains(head, " "+state+" ") && (state == "up" || last == reason || strings.HasSuffix(last, ": "+reason))
	})
}

// Checks of type ping, udp and dns take a server out of the kernel's table, with
// the reason in the status, and put it back.
func TestDatagramChecks(t *testing.T) {
	p := lab.NewPair(t, 1)
	rs1 := p.Realservers[0]
	// The kernel says "port unreachable" once a second, and one of two checks might never hear it.
	rs1.Sysctl("net/ipv4/icmp_ratelimit", "0")
	server := dnsmasq(rs1, "192.168.0.11", "example.com")
	dnsmasq(p.Realservers[1], "192.168.0.12", "example.com")

	timing := "interval = \"500ms\"\ntimeout = \"400ms\"\n"
	// The question for the address of www.example.com, with the ID 0x1234, which
	// an answer must begin with.
	question := "send_hex = \"1234 0100 0001 0000 0000 0000 03777777 076578616d706c65 03636f6d 00 0001 0001\"\nexpect = '^\\x124'\n"
	d := start(t, p,
		service("ping", lab.VIP+":80", "[service.check]\ntype = \"ping\"\n"+timing, "192.168.0.11:80", "192.168.0.12:80")+
			service("udp", lab.VIP+":5353", "protocol = \"udp\"\n[service.check]\ntype = \"udp\"\n"+question+timing, "192.168.0.11:53", "192.168.0.12:53")+
			service("dns", lab.VIP+":53", "protocol = \"udp\"\n[service.check]\ntype = \"dns\"\nname = \"www.example.com\"\nrecord = \"A\"\n"+timing, "192.168.0.11:53", "192.168.0.12:53"))[0]
	const (
		ping = "-a -t 10.0.0.100:80 -r 192.168.0.11:80"
		udp  = "-a -u 10.0.0.100:5353 -r 192.168.0.11:53"
		dns  = "-a -u 10.0.0.100:53 -r 192.168.0.11:53"
	)
	other := []string{"-a -t 10.0.0.100:80 -r 192.168.0.12:80", "-a -u 10.0.0.100:5353 -r 192.168.0.12:53", "-a -u 10.0.0.100:53 -r 192.168.0.12:53"}
	in := func(lines ...string) { awaitTable(t, p.Directors[0], append(lines, other...)...) }
	in(ping, udp, dns)

	server.Crash()
	awaitReason(t, d, "udp/192.168.0.11:53", "down", "answer: connection refused")
	awaitReason(t, d, "dns/192.168.0.11:53", "down", "answer: connection refused")
	in(ping, "!"+udp, "!"+dns)

	// This one answers, but not well: only the dns check understands that.
	server = dnsmasq(rs1, "192.168.0.11")
	awaitReason(t, d, "dns/192.168.0.11:53", "down", "DNS REFUSED, want NOERROR")
	awaitReason(t, d, "udp/192.168.0.11:53", "up", "")
	in(ping, udp, "!"+dns)

	server.Crash()
	dnsmasq(rs1, "192.168.0.11", "example.com")
	rs1.Sysctl("net/ipv4/icmp_echo_ignore_all", "1")
	awaitReason(t, d, "ping/192.168.0.11:80", "down", "ping: timeout after 400ms")
	in("!"+ping, udp, dns)

	rs1.Sysctl("net/ipv4/icmp_echo_ignore_all", "0")
	for _, server := range []string{"ping/192.168.0.11:80", "udp/192.168.0.11:53", "dns/192.168.0.11:53"} {
		awaitReason(t, d, server, "up", "")
	}
	in(ping, udp, dns)
}
