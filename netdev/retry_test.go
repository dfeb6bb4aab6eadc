package netdev

import (
	"net"
	"strings"
	"testing"

	"holdfast/netdev/internal/testns"
	"holdfast/netdev/sysctl"
)

// ask has the kernel look for neighbours, without waiting for them.
func ask(n *testns.NS, addresses ...string) {
	n.T.Helper()
	n.Enter()
	for _, a := range addresses {
		conn, err := net.Dial("udp", net.JoinHostPort(a, "9"))
		testns.Must(n.T, err)
		_, err = conn.Write([]byte{0})
		testns.Must(n.T, err)
		testns.Must(n.T, conn.Close())
	}
}

func TestRetryNeighbours(t *testing.T) {
	p := testns.NewPair(t)
	p.Director.Enter()
	h, err := OpenHost(Options{RuntimeDir: t.TempDir()})
	testns.Must(t, err)
	_, err = h.Ensure(egressSpec())
	testns.Must(t, err)
	testns.Must(t, h.Claim("vrrp4-51"))
	p.Director.Run(`
		ip neighbour add 10.0.0.7 lladdr 02:00:00:00:00:07 dev eth0
		ip link add eth1 type veth peer name peer1
		ip link set eth1 up
		ip link set peer1 up
		ip address add 10.1.0.1/24 dev eth1`)
	ask(p.Director, "10.1.0.2")

	p.Neighbour.Set(sysctl.Key("ipv6", "net0", "keep_addr_on_down"), "1")
	p.Neighbour.Run("ip link set net0 down")
	testns.Eventually(t, "the carrier is lost", func() bool { return strings.Contains(p.Director.Run("ip link show eth0"), "NO-CARRIER") })
	ask(p.Director, "10.0.0.9", "2001:db8::9")
	p.Neighbour.Run("ip link set net0 up")
	testns.Eventually(t, "the carrier is back", func() bool { return strings.Contains(p.Director.Run("ip link show eth0"), "state UP") })
	p.Director.Run("ip neighbour add 10.0.0.9 dev vrrp4-51 nud incomplete\nip neighbour add 10.0.0.8 dev vrrp4-51 nud failed")
	const unanswered = "INCOMPLETE"
	if got := p.Director.Run("ip neighbour show dev eth0"); strings.Count(got, unanswered) != 2 {
		t.Fatalf("the neighbours were not asked for: the test tests nothing:\n%s", got)
	}
	if got := p.Director.Run("ip neighbour show dev vrrp4-51"); !strings.Contains(got, unanswered) || !strings.Contains(got, "FAILED") {
		t.Fatalf("on the macvlan:\n%s", got)
	}
	index := h.devices["vrrp4-51"].parent
	p.Director.Enter()
	testns.Must(t, h.RetryNeighbours(index))
	for _, dev := range []string{"eth0", "vrrp4-51"} {
		if got := p.Director.Run("ip neighbour show dev " + dev); strings.Contains(got, unanswered) || strings.Contains(got, "FAILED") {
			t.Errorf("%s after the retry:\n%s", dev, got)
		}
	}
	if got := p.Director.Run("ip neighbour show"); !strings.Contains(got, "10.0.0.7") || !strings.Contains(got, "10.1.0.2 dev eth1") {
		t.Errorf("an answer, or what was asked elsewhere, is forgotten:\n%s", got)
	}
	ask(p.Director, "10.0.0.9", "2001:db8::9")
	testns.Eventually(t, "the neighbours are known", func() bool {
		got := p.Director.Run("ip neighbour show dev eth0")
		return strings.Contains(got, "10.0.0.9 lladdr") && strings.Contains(got, "2001:db8::9 lladdr")
	})
}
