package netdev

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"holdfast/netdev/frame"
	"holdfast/netdev/internal/testns"
)

func egressSpec() Spec {
	return Spec{
		Name: "vrrp4-51", Parent: "eth0", MAC: frame.MAC{0, 0, 0x5e, 0, 1, 51}, IPv6: true, Egress: true,
		Addresses: []Address{
			{Prefix: netip.MustParsePrefix("10.0.0.100/24")}, {Prefix: netip.MustParsePrefix("10.5.0.100/24")},
			{Prefix: netip.MustParsePrefix("fe80::5e:51/64")}, {Prefix: netip.MustParsePrefix("2001:db8::100/64")},
		},
	}
}

// egressRig is a director with a second interface and routes by both.
func egressRig(t *testing.T) (testns.Pair, *Host) {
	t.Helper()
	p := testns.NewPair(t)
	p.Director.Run(`
		ip link add eth1 type veth peer name peer1
		ip link set peer1 up
		ip link set eth1 up
		ip address add 192.168.0.1/24 dev eth1
		ip route add default via 10.0.0.9 metric 7 mtu 1400
		ip route add default via 192.168.0.9 metric 9
		ip route add 172.16.0.0/12 via 10.0.0.8
		ip route add 172.16.7.0/24 via 192.168.0.9
		ip route add blackhole 172.16.8.0/24
		ip route add 172.20.0.0/16 nexthop via 10.0.0.7 dev eth0 nexthop via 10.0.0.8 dev eth0 weight 3
		ip -6 route add default via 2001:db8::9
		ip -6 route add 2001:db8:7::/48 via fe80::9 dev eth0
		ip -6 route add 2001:db8:8::/48 dev eth1`)
	h, err := OpenHost(Options{RuntimeDir: t.TempDir()})
	testns.Must(t, err)
	return p, h
}

// tableOf returns the routes of a device's table, and the rules to it.
func tableOf(n *testns.NS, h *Host, name string) (table uint32, routes, rules []string) {
	n.T.Helper()
	table = egressTable(h, name)
	for _, family := range []string{"-4", "-6"} {
		for line := range strings.Lines(n.Run(fmt.Sprintf("ip -o %s -N route show table %d", family, table))) {
			routes = append(routes, strings.ReplaceAll(spaces(line), `\ `, ""))
		}
		for line := range strings.Lines(n.Run("ip " + family + " -N rule show")) {
			if strings.Contains(line, fmt.Sprint(table)) {
				rules = append(rules, strings.TrimSuffix(spaces(line), fmt.Sprintf(" lookup %d proto 112", table)))
			}
		}
	}
	slices.Sort(routes)
	slices.Sort(rules)
	return table, routes, rules
}

// The table of a device says of the parent what the main table does, by the
// macvlan, and leaves all else to it.
func TestEgressTable(t *testing.T) {
	p, h := egressRig(t)
	_, err := h.Ensure(egressSpec())
	testns.Must(t, err)
	testns.Must(t, h.Claim("vrrp4-51"))
	const throw = "9 " // as ip -N says it
	want := []string{
		"10.0.0.0/24 dev vrrp4-51 proto 112 scope 253",
		"10.5.0.0/24 dev vrrp4-51 proto 112 scope 253",
		"172.16.0.0/12 via 10.0.0.8 dev vrrp4-51 proto 112 onlink",
		"172.20.0.0/16 proto 112 nexthop via 10.0.0.7 dev vrrp4-51 weight 1 onlink nexthop via 10.0.0.8 dev vrrp4-51 weight 3 onlink",
		"2001:db8:7::/48 via fe80::9 dev vrrp4-51 proto 112 metric 1024 pref medium",
		"2001:db8::/64 dev vrrp4-51 proto 112 metric 256 pref medium",
		throw + "172.16.7.0/24 proto 112",
		throw + "172.16.8.0/24 proto 112",
		throw + "192.168.0.0/24 proto 112",
		throw + "2001:db8:8::/48 dev lo proto 112 metric 1024 pref medium",
		throw + "default proto 112 metric 9",
		"default via 10.0.0.9 dev vrrp4-51 proto 112 metric 7 onlink mtu 1400",
		"default via 2001:db8::9 dev vrrp4-51 proto 112 metric 1024 pref medium",
		"fe80::/64 dev vrrp4-51 proto 112 metric 256 pref medium",
	}
	wantRules := []string{"32765: from 10.0.0.100", "32765: from 10.5.0.100", "32765: from 2001:db8::100"}
	check := func(what string, wantRoutes, wantRules []string) {
		t.Helper()
		p.Director.Enter()
		repairs, err := h.Reconcile()
		testns.Must(t, err)
		if len(repairs) > 0 && what == "claimed" {
			t.Errorf("%s: repairs of what nobody changed: %v", what, repairs)
		}
		_, routes, rules := tableOf(p.Director, h, "vrrp4-51")
		if !slices.Equal(routes, wantRoutes) || !slices.Equal(rules, wantRules) {
			t.Errorf("%s:\n%s\n%s\nwant\n%s\n%s", what, strings.Join(routes, "\n"), strings.Join(rules, "\n"),
				strings.Join(wantRoutes, "\n"), strings.Join(wantRules, "\n"))
		}
	}
	check("claimed", want, wantRules)
	for to, by := range map[string]string{
		"8.8.8.8": "via 10.0.0.9 dev vrrp4-51", "10.0.0.9": "dev vrrp4-51", "192.168.0.7": "dev eth1",
		"172.16.7.1": "dev eth1", "172.16.1.1": "via 10.0.0.8 dev vrrp4-51",
	} {
		if got := spaces(p.Director.Run("ip route get " + to + " from 10.0.0.100")); !strings.Contains(got, by) {
			t.Errorf("to %s from the virtual address: %s, want %s", to, got, by)
		}
		if got := p.Director.Run("ip route get " + to); strings.Contains(got, "vrrp4-51") {
			t.Errorf("to %s from the director's own: %s", to, got)
		}
	}

	// What changes in the main table is followed; what others break is mended.
	p.Director.Run(fmt.Sprintf(`
		ip route replace default via 10.0.0.6 metric 7
		ip route del 172.16.7.0/24
		ip -6 route del default
		ip rule del from 10.5.0.100
		ip route flush table %d`, egressTable(h, "vrrp4-51")))
	changed := slices.Clone(want)
	changed[11] = "default via 10.0.0.6 dev vrrp4-51 proto 112 metric 7 onlink"
	changed = slices.DeleteFunc(changed, func(s string) bool {
		return strings.HasPrefix(s, "default via 2001") || strings.Contains(s, "172.16.7") || strings.Contains(s, throw+"2001")
	})
	check("changed", changed, wantRules)

	testns.Must(t, h.Mute("vrrp4-51"))
	if got := p.Director.Run("ip rule show") + p.Director.Run("ip -6 rule show"); strings.Contains(got, "proto 112") {
		t.Errorf("a muted device still has rules:\n%s", got)
	}
	p.Director.Enter()
	if repairs, err := h.Reconcile(); err != nil || len(repairs) > 0 {
		t.Errorf("muted: repairs %v, %v", repairs, err)
	}
	testns.Must(t, h.Claim("vrrp4-51"))
	check("claimed again", changed, wantRules)

	// A reload takes an address away, then egress.
	less := egressSpec()
	less.Addresses = append(less.Addresses[:1], less.Addresses[2:]...)
	_, err = h.Ensure(less)
	testns.Must(t, err)
	without := slices.DeleteFunc(slices.Clone(changed), func(s string) bool { return strings.HasPrefix(s, "10.5.0.0") })
	check("an address less", without, []string{wantRules[0], wantRules[2]})
	less.Egress = false
	_, err = h.Ensure(less)
	testns.Must(t, err)
	check("without", nil, nil)
	_, err = h.Ensure(egressSpec())
	testns.Must(t, err)
	check("with", changed, wantRules)
	testns.Must(t, h.Close())
	if got := p.Director.Run("ip rule show") + p.Director.Run("ip -6 rule show"); strings.Contains(got, "proto 112") {
		t.Errorf("rules are left:\n%s", got)
	}
}

// The rules that a crash left are adopted with the device, and go when the
// configuration wants them no more.
func TestEgressAfterCrash(t *testing.T) {
	p, h := egressRig(t)
	dir := h.journal.path[:strings.LastIndex(h.journal.path, "/")]
	s := egressSpec()
	s.Keep = true
	_, err := h.Ensure(s)
	testns.Must(t, err)
	testns.Must(t, h.Claim("vrrp4-51"))
	_, routes, rules := tableOf(p.Director, h, "vrrp4-51")
	h.conn.Close() // the process ends

	p.Director.Enter()
	h, err = OpenHost(Options{RuntimeDir: dir})
	testns.Must(t, err)
	devices, err := h.Ensure(s)
	testns.Must(t, err)
	if !devices[0].Leftover {
		t.Fatal("the device is not known as left over")
	}
	repairs, err := h.Sweep()
	if err != nil || len(repairs) > 0 {
		t.Errorf("sweep: %v, %v", repairs, err)
	}
	_, routes2, rules2 := tableOf(p.Director, h, "vrrp4-51")
	if !slices.Equal(routes, routes2) || !slices.Equal(rules, rules2) {
		t.Errorf("after the crash:\n%s\n%s", strings.Join(routes2, "\n"), strings.Join(rules2, "\n"))
	}
	h.conn.Close()

	p.Director.Enter()
	h, err = OpenHost(Options{RuntimeDir: dir})
	testns.Must(t, err)
	_, err = h.Sweep()
	testns.Must(t, err)
	if got := p.Director.Run("ip rule show") + p.Director.Run("ip -6 rule show"); strings.Contains(got, "proto 112") {
		t.Errorf("rules are left:\n%s", got)
	}
}

// Egress gives up on a table that is too long to copy, and says so.
func TestEgressOfManyRoutes(t *testing.T) {
	p, h := egressRig(t)
	var lines strings.Builder
	for i := range 10001 {
		fmt.Fprintf(&lines, "route add 11.%d.%d.%d/32 dev eth1\n", i>>16, i>>8&255, i&255)
	}
	batch := t.TempDir() + "/routes"
	testns.Must(t, os.WriteFile(batch, []byte(lines.String()), 0o600))
	p.Director.Run("ip -batch " + batch)
	_, err := h.Ensure(egressSpec())
	testns.Must(t, err)
	testns.Must(t, h.Claim("vrrp4-51"))
	if _, err := h.Reconcile(); err == nil || !strings.Contains(err.Error(), "more than 10000 routes") {
		t.Errorf("reconcile: %v", err)
	}
	if got := p.Director.Run("ip address show vrrp4-51"); !strings.Contains(got, "10.0.0.100") {
		t.Errorf("the address is not there:\n%s", got)
	}
}

// egressTable is the number of a device's table, as policy numbers it.
func egressTable(h *Host, name string) uint32 { return 0x48000000 | uint32(h.devices[name].index) }
