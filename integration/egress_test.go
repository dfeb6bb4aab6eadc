package integration_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// With egress, every frame from a virtual address has the virtual MAC as its source:
// answers, connections in both directions, and ARP requests of a director that does
// not know the router. Without it, data has the director's MAC.
func TestEgress(t *testing.T) {
	t.Parallel()
	for _, egress := range []bool{true, false} {
		name := map[bool]string{true: "on", false: "off"}[egress]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := lab.NewPair(t, 2)
			for _, h := range p.Directors {
				h.DefaultRoute(lab.RouterIP)
			}
			p.Router.Address("lo", "203.0.113.1/32") // behind the default gateway
			options := ""
			if egress {
				options = "egress = true\n"
			}
			daemons := directors(t, p, lab.Director{IPv6: true, Options: options})
			expectEgress(t, p, 0, egress)
			// It moves with the MASTER.
			p.Directors[0].PowerCut()
			daemons[1].AwaitState(t, "MASTER")
			expectEgress(t, p, 1, egress)
		})
	}
}

// expectEgress has all kinds of traffic from the virtual addresses of the MASTER
// reach the router, and looks at where it comes from.
func expectEgress(t *testing.T, p *lab.Pair, master int, egress bool) {
	t.Helper()
	director := p.Directors[master]
	wire := director.Wires["eth0"].Capture()
	load := startTraffic(t, p, true)
	away := p.Router.ProbeFrom("203.0.113.1", lab.VIP, 2*time.Millisecond)
	away.AwaitAnswers(t, 20*time.Second, 20)
	for range 3 {
		director.FlushNeighbours() // it has to ask for the router
		load.flows(t)
	}
	dialFrom(t, director, p.Router, lab.VIP, "203.0.113.1")
	dialFrom(t, director, p.Router, lab.VIP6, "2001:db8:a::1")
	away.Stop()
	load.stop(t)

	want := map[bool]lab.MAC{true: lab.VirtualMAC(51), false: lab.VirtualMAC6(51)}
	kinds := map[string]int{}
	wrong := map[string]int{}
	for _, f := range wire.Frames(func(f lab.Frame) bool { return f.FromHost }) {
		from, ok := f.Speaker()
		if !ok || !isVirtual(from) {
			continue
		}
		kind := f.Kind()
		kinds[kind]++
		if f.Source() != want[from.Is4()] {
			wrong[kind]++
		}
	}
	for _, kind := range []string{"arp", "icmp", "tcp", "icmpv6", "tcp6"} {
		announced := !egress && kind == "arp" // it asks with its own address, and announces at other times
		if kinds[kind] == 0 && !announced {
			t.Errorf("no %s was sent from a virtual address: %v", kind, kinds)
		}
		if egress && wrong[kind] > 0 {
			t.Errorf("%d of %d %s came not from the virtual MAC", wrong[kind], kinds[kind], kind)
		}
		if !egress && (wrong[kind] > 0) == (kind == "arp") {
			t.Errorf("without egress %d of %d %s came not from the virtual MAC", wrong[kind], kinds[kind], kind)
		}
	}
}

// dialFrom connects from an address of one host to another host.
func dialFrom(t *testing.T, from, to *lab.Host, source, address string) {
	t.Helper()
	var listener net.Listener
	err := to.Do(func() (err error) {
		listener, err = net.Listen("tcp", net.JoinHostPort(address, "0"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	err = from.Do(func() error {
		dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(source), 0)), Timeout: 10 * time.Second}
		conn, err := dialer.Dial("tcp", listener.Addr().String())
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		t.Errorf("connect from %s to %s: %v", source, address, err)
	}
}
