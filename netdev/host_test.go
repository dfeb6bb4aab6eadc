package netdev

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"holdfast/netdev/frame"
	"holdfast/netdev/internal/testns"
)

var vmac = frame.MAC{0x00, 0x00, 0x5e, 0x00, 0x01, 0x33}

func addresses(all ...string) []Address {
	var out []Address
	for _, s := range all {
		out = append(out, Address{Prefix: netip.MustParsePrefix(s)})
	}
	return out
}

func spec4() Spec {
	return Spec{Name: "vrrp4-51", Parent: "eth0", MAC: vmac, Alias: "outside", Addresses: addresses("10.0.0.100/24", "10.0.0.101/32")}
}

func openHost(t testing.TB, n *testns.NS, dir string) *Host {
	t.Helper()
	n.Enter()
	h, err := OpenHost(Options{RuntimeDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func ensure(t testing.TB, h *Host, specs ...Spec) []Device {
	t.Helper()
	all, err := h.Ensure(specs...)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// reconcile returns what Reconcile did.
func reconcile(n *testns.NS, h *Host) []Repair {
	n.T.Helper()
	n.Enter() // sysctls are those of the thread's namespace
	r, err := h.Reconcile()
	testns.Must(n.T, err)
	return r
}

// volatileText is what changes by itself, and what ip says when other namespaces do.
var volatileText = regexp.MustCompile(`(Error: Peer netns reference is invalid\.\n|qlen \d+|promiscuity \d+|allmulti \d+|(valid|preferred)_lft \S+) ?`)

// state is all that a Host may change: links, addresses, routes and sysctls.
func state(n *testns.NS) string {
	n.T.Helper()
	return volatileText.ReplaceAllString(n.Run(`
		ip -d link show
		ip address show
		ip route show table all
		ip -6 route show table all
		grep -r . /proc/sys/net/ipv4/conf
		grep -rs . /proc/sys/net/ipv6/conf --exclude=stable_secret`), "")
}

func TestDeviceLife(t *testing.T) {
	p := testns.NewPair(t)
	before := state(p.Director)
	dir := t.TempDir()
	h := openHost(t, p.Director, dir)
	d := ensure(t, h, spec4())[0]
	show := p.Director.Run("ip -d link show vrrp4-51") + p.Director.Run("ip address show vrrp4-51")
	for _, want := range []string{"state DOWN", "00:00:5e:00:01:33", "macvlan mode bridge", "addrgenmode none", "alias holdfast outside"} {
		if !strings.Contains(show, want) {
			t.Errorf("after Ensure, no %q in\n%s", want, show)
		}
	}
	if strings.Contains(show, "inet") || d.Leftover || d.IfIndex == 0 {
		t.Errorf("after Ensure: %+v\n%s", d, show)
	}

	testns.Must(t, h.Claim("vrrp4-51"))
	show = p.Director.Run("ip address show vrrp4-51")
	for _, want := range []string{"state UP", "10.0.0.100/24", "10.0.0.101/32", "noprefixroute"} {
		if !strings.Contains(show, want) {
			t.Errorf("after Claim, no %q in\n%s", want, show)
		}
	}
	if o, err := observe(h.conn, needs{}, dumpTimeout); err != nil || o.addresses[d.IfIndex][0].protocol != AddressProtocol {
		t.Errorf("addresses do not carry our mark: %+v (%v)", o.addresses[d.IfIndex], err)
	}
	testns.Must(t, h.Claim("vrrp4-51"))

	testns.Must(t, h.Mute("vrrp4-51"))
	if show = p.Director.Run("ip link show vrrp4-51"); !strings.Contains(show, "NOARP") {
		t.Errorf("after Muted, no NOARP in\n%s", show)
	}

	testns.Must(t, h.Release("vrrp4-51"))
	show = p.Director.Run("ip address show vrrp4-51")
	if strings.Contains(show, "inet") || strings.Contains(show, "UP") || strings.Contains(show, "NOARP") {
		t.Errorf("after Release:\n%s", show)
	}

	testns.Must(t, h.Remove("vrrp4-51"))
	testns.Must(t, h.Close())
	if after := state(p.Director); after != before {
		t.Errorf("state changed:\n%s", lineDiff(before, after))
	}
}

// lineDiff shows lines that are in one text only.
func lineDiff(a, b string) string {
	var out strings.Builder
	in := func(text string) map[string]bool {
		m := map[string]bool{}
		for l := range strings.Lines(text) {
			m[l] = true
		}
		return m
	}
	inA, inB := in(a), in(b)
	for l := range strings.Lines(a) {
		if !inB[l] {
			out.WriteString("-" + l)
		}
	}
	for l := range strings.Lines(b) {
		if !inA[l] {
			out.WriteString("+" + l)
		}
	}
	return out.String()
}
