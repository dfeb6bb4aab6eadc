package policy

import (
	"encoding/json"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"holdfast/netdev/internal/testns"
	"holdfast/netdev/rtnl"

	"github.com/google/go-cmp/cmp"
)

// shown is what a command prints as a JSON list, without one key.
func shown(t *testing.T, n *testns.NS, command, without string) []map[string]any {
	t.Helper()
	var all []map[string]any
	if err := json.Unmarshal([]byte(n.Run(command)), &all); err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		delete(one, without)
	}
	return all
}

// What we put into the kernel is what iproute2 puts there, told the same.
func TestRoutesAsIproute2(t *testing.T) {
	p := testns.NewPair(t)
	addr, prefix := netip.MustParseAddr, netip.MustParsePrefix
	p.Director.Run("ip address add 10.0.0.77/24 dev eth0")
	four, six := prefix("10.9.0.0/16"), prefix("2001:db8:9::/48")
	via4, via6 := addr("10.0.0.9"), addr("2001:db8::9")
	on := func(r Route) Route { r.Device = "eth0"; return r }
	for _, c := range []struct {
		iproute2 string
		route    Route
	}{
		{"10.9.0.0/16 dev eth0", on(Route{To: four})},
		{"10.9.0.0/16 via 10.0.0.9 dev eth0", on(Route{To: four, Via: via4, Checked: true})},
		{"10.9.0.0/16 via 10.7.0.9 dev eth0 onlink", on(Route{To: four, Via: addr("10.7.0.9")})},
		{"0.0.0.0/0 via 10.0.0.9 dev eth0 src 10.0.0.77 metric 7", on(Route{To: prefix("0.0.0.0/0"), Via: via4, Checked: true, Source: addr("10.0.0.77"), Metric: 7})},
		{"10.9.0.0/16 dev eth0 scope site", on(Route{To: four, Scope: "site"})},
		{"10.9.0.0/16 dev eth0 scope global", on(Route{To: four, Scope: "global"})},
		{"10.9.0.0/16 dev eth0 tos 0x10", on(Route{To: four, TOS: 0x10})},
		{"10.9.0.0/16 via inet6 fe80::9 dev eth0", on(Route{To: four, Via: addr("fe80::9"), Checked: true})},
		{"10.9.0.0/16 dev eth0 realm 3/7", on(Route{To: four, Realm: Realm{3, 7}})},
		{"blackhole 10.9.0.0/16", Route{To: four, Type: "blackhole"}},
		{"unreachable 10.9.0.0/16 metric 9", Route{To: four, Type: "unreachable", Metric: 9}},
		{"prohibit 10.9.0.0/16", Route{To: four, Type: "prohibit"}},
		{"throw 10.9.0.0/16", Route{To: four, Type: "throw"}},
		{"local 10.9.0.0/16 dev eth0", on(Route{To: four, Type: "local"})},
		{"broadcast 10.9.0.0/32 dev eth0", on(Route{To: prefix("10.9.0.0/32"), Type: "broadcast"})},
		{"anycast 10.9.0.0/32 dev eth0", on(Route{To: prefix("10.9.0.0/32"), Type: "anycast"})},
		{"multicast 239.1.0.0/16 dev eth0", on(Route{To: prefix("239.1.0.0/16"), Type: "multicast"})},
		{"10.9.0.0/16 nexthop via 10.0.0.9 dev eth0 weight 3 nexthop via 10.8.0.1 dev eth0 onlink nexthop via inet6 fe80::9 dev eth0",
			Route{To: four, Hops: []Hop{
				{Via: via4, Device: "eth0", Weight: 3, Checked: true}, {Via: addr("10.8.0.1"), Device: "eth0"},
				{Via: addr("fe80::9"), Device: "eth0", Checked: true},
			}}},
		{"10.9.0.0/16 dev eth0 mtu lock 1400 advmss 1300 window 9000 ssthresh 20 cwnd 12 initcwnd 30 initrwnd 31 reordering 4 hoplimit 9 rtt 30ms rttvar 8ms rto_min 40ms features ecn quickack 1 fastopen_no_cookie 1 congctl reno",
			on(Route{To: four, Options: RouteOptions{
				MTU: 1400, AdvMSS: 1300, Window: 9000, SSThresh: 20, Cwnd: 12, InitCwnd: 30, InitRwnd: 31, Reordering: 4, HopLimit: 9,
				RTT: 30 * time.Millisecond, RTTVar: 8 * time.Millisecond, RTOMin: 40 * time.Millisecond,
				ECN: true, QuickAck: true, FastOpenNoCookie: true, Congestion: "reno", Lock: []string{"mtu"},
			}})},
		{"10.9.0.0/16 dev eth0 congctl lock reno hoplimit lock 9 initcwnd 3 rtt lock 7ms cwnd lock 3",
			on(Route{To: four, Options: RouteOptions{
				Congestion: "reno", HopLimit: 9, InitCwnd: 3, RTT: 7 * time.Millisecond, Cwnd: 3, Lock: []string{"congctl", "hoplimit", "rtt", "cwnd"},
			}})},
		{"10.9.0.0/16 encap ip id 5 src 10.0.0.1 dst 10.0.0.9 ttl 7 tos 0x10 dev eth0",
			on(Route{To: four, Encap: Encap{Type: "ip", ID: 5, Source: addr("10.0.0.1"), Destination: via4, TTL: 7, TOS: 16}})},
		{"10.9.0.0/16 nexthop encap ip id 5 dst 10.0.0.9 dev eth0 nexthop via 10.0.0.9 dev eth0",
			Route{To: four, Hops: []Hop{
				{Device: "eth0", Encap: Encap{Type: "ip", ID: 5, Destination: via4}}, {Device: "eth0", Via: via4, Checked: true},
			}}},

		{"2001:db8:9::/48 dev eth0", on(Route{To: six})},
		{"2001:db8:9::/48 via 2001:db8::9 dev eth0 metric 5", on(Route{To: six, Via: via6, Checked: true, Metric: 5})},
		{"::/0 via fe80::9 dev eth0 pref high", on(Route{To: prefix("::/0"), Via: addr("fe80::9"), Checked: true, Preference: "high"})},
		{"2001:db8:9::/48 dev eth0 pref low", on(Route{To: six, Preference: "low"})},
		{"2001:db8:9::/48 via 2001:db8:7::9 dev eth0 onlink", on(Route{To: six, Via: addr("2001:db8:7::9")})},
		{"2001:db8:9::/48 via 2001:db8::9 dev eth0", on(Route{To: six, Via: via6})},
		{"2001:db8:9::/48 via fe80::9 dev eth0", on(Route{To: six, Via: addr("fe80::9")})},
		{"2001:db8:9::/48 dev eth0 src 2001:db8::1 mtu 1400 hoplimit 9", on(Route{To: six, Source: addr("2001:db8::1"), Options: RouteOptions{MTU: 1400, HopLimit: 9}})},
		{"blackhole 2001:db8:9::/48", Route{To: six, Type: "blackhole"}},
		{"throw 2001:db8:9::/48 metric 3", Route{To: six, Type: "throw", Metric: 3}},
		{"local 2001:db8:9::/48 dev eth0", on(Route{To: six, Type: "local"})},
		{"2001:db8:9::/48 nexthop via 2001:db8::9 dev eth0 weight 2 nexthop via 2001:db8::8 dev eth0",
			Route{To: six, Hops: []Hop{
				{Via: via6, Device: "eth0", Weight: 2, Checked: true}, {Via: addr("2001:db8::8"), Device: "eth0", Checked: true},
			}}},
		{"2001:db8:9::/48 encap seg6 mode encap segs 2001:db8::5,2001:db8::6 dev eth0",
			on(Route{To: six, Encap: Encap{Type: "seg6", Mode: "encap", Segments: []netip.Addr{addr("2001:db8::5"), addr("2001:db8::6")}}})},
		{"2001:db8:9::/48 encap seg6 mode inline segs 2001:db8::5,2001:db8::6 dev eth0",
			on(Route{To: six, Encap: Encap{Type: "seg6", Mode: "inline", Segments: []netip.Addr{addr("2001:db8::5"), addr("2001:db8::6")}}})},
		{"2001:db8:9::/48 encap ip6 id 5 dst 2001:db8::9 hoplimit 9 tc 4 dev eth0",
			on(Route{To: six, Encap: Encap{Type: "ip6", ID: 5, Destination: via6, TTL: 9, TOS: 4}})},
	} {
		version := "-4"
		if c.route.To.Addr().Is6() {
			version = "-6"
		}
		list := func(number string) []map[string]any {
			return shown(t, p.Director, "ip -d -j "+version+" route show table "+number, "table")
		}
		if !canAdd(p.Director, version+" route add table 301 proto 112 "+c.iproute2) {
			t.Logf("this kernel cannot wrap packets so: %s", c.iproute2)
			continue
		}
		c.route.Table = 302
		d := &Device{Name: "test", Index: p.Director.Index("eth0"), Routes: []Route{c.route}, Want: Held}
		table := newSet(t, p.Director)
		apply(t, table, d)
		if diff := cmp.Diff(list("301"), list("302")); diff != "" || len(list("302")) != 1 {
			t.Errorf("ip route add %s: %v (-iproute2 +ours)\n%s", c.iproute2, d.States(), diff)
		}
		// JSON does not tell what is locked.
		text := func(number string) string { return p.Director.Run("ip -d " + version + " route show table " + number) }
		if diff := cmp.Diff(text("301"), text("302")); diff != "" {
			t.Errorf("ip route add %s: (-iproute2 +ours)\n%s", c.iproute2, diff)
		}
		if states := d.States(); len(states) != 1 || !states[0].Present {
			t.Errorf("%s: %+v", c.iproute2, states)
		}
		d.Want = Away
		apply(t, table, d)
		if left := list("302"); len(left) != 0 {
			t.Errorf("%s: left: %v", c.iproute2, left)
		}
		p.Director.Run("ip " + version + " route flush table 301")
	}
}

// canAdd runs an ip command, which a kernel without its encapsulation refuses.
func canAdd(n *testns.NS, command string) bool {
	n.T.Helper()
	n.Enter()
	b, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput()
	if err != nil && !strings.Contains(string(b), "encapsulation type not supported") {
		n.T.Fatalf("%s: ip %s: %v\n%s", n.Name, command, err, b)
	}
	return err == nil
}

// newSet returns a Set in a namespace.
func newSet(t *testing.T, n *testns.NS) *Set {
	t.Helper()
	n.Enter()
	c, err := rtnl.Dial()
	testns.Must(t, err)
	t.Cleanup(c.Close)
	return NewSet(c, func(string) bool { return false })
}

func apply(t *testing.T, table *Set, d *Device) {
	t.Helper()
	_, err := table.Apply([]*Device{d})
	testns.Must(t, err)
}

func TestRulesAsIproute2(t *testing.T) {
	p := testns.NewPair(t)
	prefix := netip.MustParsePrefix
	for _, c := range []struct {
		iproute2 string
		rule     Rule
	}{
		{"from 10.0.0.100 lookup 7", Rule{From: prefix("10.0.0.100/32"), Table: 7}},
		{"from all to 10.9.0.0/16 lookup 700", Rule{To: prefix("10.9.0.0/16"), Table: 700}},
		{"from all lookup 7", Rule{From: prefix("0.0.0.0/0"), Table: 7}},
		{"not from 10.9.0.0/16 lookup 7", Rule{Not: true, From: prefix("10.9.0.0/16"), Table: 7}},
		{"fwmark 7 lookup 7", Rule{Mark: 7, Table: 7}},
		{"fwmark 7/0xff lookup 7", Rule{Mark: 7, MarkMask: 0xff, Table: 7}},
		{"fwmark 0/0xff lookup 7", Rule{MarkMask: 0xff, Table: 7}},
		{"tos 0x10 lookup 7", Rule{TOS: 0x10, Table: 7}},
		{"iif eth0 oif eth9 lookup 7", Rule{Interface: "eth0", Output: "eth9", Table: 7}},
		{"uidrange 5-7 lookup 7", Rule{UIDs: Range{5, 7, true}, Table: 7}},
		{"uidrange 0-0 lookup 7", Rule{UIDs: Range{0, 0, true}, Table: 7}},
		{"ipproto tcp sport 1000-2000 dport 80 lookup 7", Rule{Protocol: 6, SourcePorts: Range{1000, 2000, true}, DestinationPorts: Range{80, 80, true}, Table: 7}},
		{"from 10.0.0.100 l3mdev", Rule{From: prefix("10.0.0.100/32"), L3MDev: true}},
		{"iif eth0 tun_id 9 lookup 7", Rule{Interface: "eth0", TunnelID: 9, Table: 7}},
		{"iif eth0 lookup 7 suppress_prefixlength 0", Rule{Interface: "eth0", Table: 7, SuppressLength: 1}},
		{"iif eth0 lookup 7 suppress_ifgroup 4", Rule{Interface: "eth0", Table: 7, SuppressGroup: 5}},
		{"iif eth0 lookup 7 realms 3/4", Rule{Interface: "eth0", Table: 7, Realm: Realm{3, 4}}},
		{"iif eth0 goto 5000", Rule{Interface: "eth0", Action: "goto", Goto: 5000}},
		{"iif eth0 nop", Rule{Interface: "eth0", Action: "nop"}},
		{"iif eth0 blackhole", Rule{Interface: "eth0", Action: "blackhole"}},
		{"iif eth0 unreachable", Rule{Interface: "eth0", Action: "unreachable"}},
		{"iif eth0 prohibit", Rule{Interface: "eth0", Action: "prohibit"}},

		{"from 2001:db8::100 lookup 7", Rule{IPv6: true, From: prefix("2001:db8::100/128"), Table: 7}},
		{"to 2001:db8:9::/48 fwmark 3 tos 0x10 lookup 700", Rule{IPv6: true, To: prefix("2001:db8:9::/48"), Mark: 3, TOS: 0x10, Table: 700}},
		{"iif eth0 ipproto udp dport 53 lookup 7 suppress_prefixlength 48", Rule{IPv6: true, Interface: "eth0", Protocol: 17, DestinationPorts: Range{53, 53, true}, Table: 7, SuppressLength: 49}},
		{"not oif eth9 uidrange 7-9 l3mdev", Rule{IPv6: true, Not: true, Output: "eth9", UIDs: Range{7, 9, true}, L3MDev: true}},
		{"iif eth0 goto 5000", Rule{IPv6: true, Interface: "eth0", Action: "goto", Goto: 5000}},
		{"iif eth0 prohibit", Rule{IPv6: true, Interface: "eth0", Action: "prohibit"}},
	} {
		version := "-4"
		if c.rule.IPv6 {
			version = "-6"
		}
		list := func(priority string) []map[string]any {
			return shown(t, p.Director, "ip -d -j "+version+" rule show priority "+priority, "priority")
		}
		p.Director.Run("ip " + version + " rule add " + c.iproute2 + " priority 900 protocol 112")
		c.rule.Priority = 901
		d := &Device{Name: "test", Index: p.Director.Index("eth0"), Rules: []Rule{c.rule}, Want: Held}
		table := newSet(t, p.Director)
		apply(t, table, d)
		want, got := list("900"), list("901")
		if diff := cmp.Diff(want, got); diff != "" || len(got) != 1 {
			t.Errorf("ip rule add %s: %v (-iproute2 +ours)\n%s", c.iproute2, d.States(), diff)
		}

		// What is read back is what was asked for.
		seen, err := seeRules(table.conn, c.rule.IPv6)
		testns.Must(t, err)
		found := false
		for _, r := range seen {
			found = found || r.protocol == Protocol && r.rule == c.rule.normal()
		}
		if !found {
			t.Errorf("%s: %+v is not in %+v", c.iproute2, c.rule.normal(), seen)
		}
		d.Want = Away
		apply(t, table, d)
		if left := list("901"); len(left) != 0 {
			t.Errorf("%s: left: %v", c.iproute2, left)
		}
		p.Director.Run("ip " + version + " rule del priority 900")
	}
}

// The kernel at hand may not have MPLS: the attributes are compared.
func TestEncapMPLS(t *testing.T) {
	e := Encap{Type: "mpls", Labels: []uint32{100, 200}, TTL: 9}
	var got []byte
	for _, a := range e.attributes() {
		got = append(got, a.Serialize()...)
	}
	want := []byte{
		6, 0, 21, 0, 1, 0, 0, 0, // RTA_ENCAP_TYPE: LWTUNNEL_ENCAP_MPLS
		24, 0, 22, 0x80, // RTA_ENCAP
		12, 0, 1, 0, 0, 6, 0x40, 0, 0, 12, 0x81, 0, // labels; the bottom bit
		5, 0, 2, 0, 9, 0, 0, 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
