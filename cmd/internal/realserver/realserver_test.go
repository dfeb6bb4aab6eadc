package realserver

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

var (
	vip4 = netip.MustParseAddr("10.0.0.100")
	vip6 = netip.MustParseAddr("2001:db8::100")
)

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		want string // part of the error; "": none
	}{
		{"dr", Options{VIPs: []netip.Addr{vip4, vip6}, Method: DR}, ""},
		{"tun", Options{VIPs: []netip.Addr{vip4, vip6}, Method: TUN, Tunnel: IPIP}, ""},
		{"no VIP", Options{Method: DR}, "at least one VIP"},
		{"loopback", Options{VIPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Method: DR}, "127.0.0.1 cannot be a VIP"},
		{"zone", Options{VIPs: []netip.Addr{netip.MustParseAddr("fe80::1%eth0")}, Method: DR}, "cannot be a VIP"},
		{"nat", Options{VIPs: []netip.Addr{vip4}, Method: "nat"}, "dr or tun"},
		{"vxlan", Options{VIPs: []netip.Addr{vip4}, Method: TUN, Tunnel: "vxlan"}, "ipip, gre or gue"},
		{"gue without port", Options{VIPs: []netip.Addr{vip4}, Method: TUN, Tunnel: GUE}, "needs the UDP port"},
		{"gre with port", Options{VIPs: []netip.Addr{vip4}, Method: TUN, Tunnel: GRE, Port: 1}, "only gue"},
		{"dr with port", Options{VIPs: []netip.Addr{vip4}, Method: DR, Port: 1}, "only for method tun"},
		{"IPv4 in IPv6", Options{VIPs: []netip.Addr{vip4}, Method: TUN, Tunnel: IPIP, Outer: IPv6}, "not supported"},
		{"IPv6 in IPv6 and IPv4 in IPv4", Options{VIPs: []netip.Addr{vip6, vip4}, Method: TUN, Tunnel: IPIP}, ""},
		{"outer family", Options{VIPs: []netip.Addr{vip4}, Method: TUN, Tunnel: IPIP, Outer: "ipx"}, "ipv4 or ipv6"},
		{"dr with a tunnel", Options{VIPs: []netip.Addr{vip4}, Method: DR, Tunnel: GRE}, "only for method tun"},
		{"dr with an outer family", Options{VIPs: []netip.Addr{vip4}, Method: DR, Outer: IPv4}, "only for method tun"},
		{"broadcast", Options{VIPs: []netip.Addr{netip.MustParseAddr("255.255.255.255")}, Method: DR}, "cannot be a VIP"},
		{"long device", Options{VIPs: []netip.Addr{vip4}, Method: DR, Device: "sixteen-letters-"}, "cannot be the name"},
		{"path as a device", Options{VIPs: []netip.Addr{vip4}, Method: DR, Device: "a/b"}, "cannot be the name"},
		{"all as a device", Options{VIPs: []netip.Addr{vip4}, Method: DR, Device: "all"}, "cannot be the name"},
	} {
		err := c.o.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestEndpoints(t *testing.T) {
	for _, c := range []struct {
		tunnel         Tunnel
		inner6, outer6 bool
		want           endpoint
	}{
		{IPIP, false, false, endpoint{"tunl0", "ipip"}},
		{IPIP, true, false, endpoint{"sit0", "sit"}},
		{IPIP, true, true, endpoint{"ip6tnl0", "ip6_tunnel"}},
		{GUE, false, false, endpoint{"tunl0", "ipip"}},
		{GUE, true, true, endpoint{"ip6tnl0", "ip6_tunnel"}},
		{GRE, false, false, endpoint{"gre0", "ip_gre"}},
		{GRE, true, true, endpoint{"ip6gre0", "ip6_gre"}},
	} {
		if got, err := endpointOf(c.tunnel, c.inner6, c.outer6); err != nil || got != c.want {
			t.Errorf("%s, inside IPv6 %v, outside IPv6 %v: %v, %v, want %v", c.tunnel, c.inner6, c.outer6, got, err, c.want)
		}
	}
}

// well is a host that serves vip4 by DR as it should.
func well() *facts {
	return &facts{
		Holders:       map[netip.Addr][]holder{vip4: {{Device: "lo", Prefix: netip.MustParsePrefix("10.0.0.100/32"), Quiet: true}}},
		Links:         map[string]bool{"lo": true, "eth0": true, "eth1": true},
		ARP:           map[string]arpFacts{"eth0": {"1", "2"}, "eth1": {"8", "2"}},
		Paths:         map[string]string{"eth0": "1", "eth1": "2"},
		DefaultDevice: "eth0",
	}
}

func TestFindings(t *testing.T) {
	dr := map[netip.Addr]vipState{vip4: {Method: DR}}
	tun := map[netip.Addr]vipState{vip4: {Method: TUN, Tunnel: GUE, Port: 6080}}
	for _, c := range []struct {
		name   string
		vips   map[netip.Addr]vipState
		change func(*facts)
		faults []string // parts, in order
		notes  int
	}{
		{"well", dr, func(*facts) {}, nil, 0},
		{"missing", dr, func(f *facts) { f.Holders = nil }, []string{"does not have 10.0.0.100"}, 0},
		{"short prefix", dr, func(f *facts) { f.Holders[vip4][0].Prefix = netip.MustParsePrefix("10.0.0.100/24") },
			[]string{"takes all of 10.0.0.0/24"}, 0},
		{"on an interface", dr, func(f *facts) {
			f.Holders[vip4][0] = holder{Device: "eth0", Prefix: netip.MustParsePrefix("10.0.0.100/32")}
		},
			[]string{"is an address of eth0"}, 0},
		{"answers", dr, func(f *facts) { f.ARP["eth0"] = arpFacts{"3", "1"} },
			[]string{"answers ARP for the VIPs on eth0", "announces the VIPs on eth0"}, 0},
		{"strict", dr, func(f *facts) { f.Paths["eth1"] = "1" }, nil, 1},
		{"strict, no default route", dr, func(f *facts) { f.Paths["eth1"], f.DefaultDevice = "1", "" }, nil, 0},
		{"no tunnel", tun, func(*facts) {}, []string{"device tunl0 does not exist", "no GUE packets on UDP port 6080"}, 0},
		{"tunnel down", tun, func(f *facts) { f.Links["tunl0"], f.Ports = false, map[port]bool{{Number: 6080}: true} },
			[]string{"tunl0 is down"}, 0},
		{"tunnel strict", tun, func(f *facts) {
			f.Links["tunl0"], f.Paths["tunl0"], f.Ports = true, "1", map[port]bool{{Number: 6080}: true}
		}, []string{"rp_filter of tunl0 is 1"}, 0},
	} {
		f := well()
		c.change(f)
		r := report(c.vips, f)
		ok := len(r.Faults) == len(c.faults) && len(r.Notes) == c.notes
		for i := 0; ok && i < len(c.faults); i++ {
			ok = strings.Contains(r.Faults[i], c.faults[i])
		}
		if !ok {
			t.Errorf("%s: faults %q, notes %q, want %q and %d", c.name, r.Faults, r.Notes, c.faults, c.notes)
		}
	}
}

func TestStateOutlivesTheProcess(t *testing.T) {
	dir := Dir(t.TempDir())
	s, unlock, err := dir.open()
	if err != nil {
		t.Fatal(err)
	}
	s.VIPs[vip4] = vipState{Method: TUN, Tunnel: GUE, Port: 6080}
	s.Settings["ipv4/conf/all/arp_ignore"] = formerSetting{Was: "0", Set: "1"}
	s.Links["tunl0"] = linkState{Raised: true}
	s.Ports = []port{{Number: 6080}}
	if err := dir.save(s); err != nil {
		t.Fatal(err)
	}
	unlock()
	got, err := dir.read()
	if err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("got %+v, %v, want %+v", got, err, s)
	}
	settings, links, ports := got.needed()
	if !settings["ipv4/conf/all/arp_ignore"] || !links["tunl0"] || len(ports) != 1 {
		t.Errorf("still needed: %v %v %v", settings, links, ports)
	}
}

// Each VIP goes through a tunnel over its own family, whatever the others are.
func TestOuterFamilyOfEachVIP(t *testing.T) {
	o := Options{VIPs: []netip.Addr{vip6, vip4}, Method: TUN, Tunnel: IPIP}
	for vip, device := range map[netip.Addr]string{vip4: "tunl0", vip6: "ip6tnl0"} {
		n := o.needs(vip)
		v := o.vipState(vip)
		again := v.options(vip)
		if later := again.needs(vip); n.Device != device || later.Device != device {
			t.Errorf("%v: %s, and from the state %s; want %s", vip, n.Device, later.Device, device)
		}
	}
}
