package lvs_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"holdfast/lvs"
	"holdfast/lvs/lvstest"
)

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// tcp returns a wlc service with a TCP address.
func tcp(address string) lvs.Service {
	return lvs.Service{Key: lvs.Key{Protocol: lvs.TCP, Address: ap(address)}, Scheduler: "wlc"}.Canonical()
}

// nat returns a NAT server.
func nat(address string, weight int) lvs.Server {
	return lvs.Server{Address: ap(address), Forward: lvs.NAT, Weight: weight}
}

func wanted(service lvs.Service, servers ...lvs.Server) lvs.Wanted {
	return lvs.Wanted{Service: service, Servers: servers}
}

// load puts content into a fake without adding to its Ops.
func load(t *testing.T, f *lvstest.Fake, content ...lvs.Wanted) {
	t.Helper()
	for _, op := range lvs.Plan(nil, content, func(lvs.Key) bool { return false }) {
		if err := f.Do(op)[0]; err != nil {
			t.Fatalf("load the fake: %v: %v", op, err)
		}
	}
	f.Ops = nil
}

// commands returns the ops as arguments of ipvsadm.
func commands(ops []lvs.Op) []string {
	list := make([]string, len(ops))
	for i, op := range ops {
		list[i] = strings.TrimPrefix(op.String(), "ipvsadm ")
	}
	return list
}

// A generator makes random table content from few addresses, so that two results
// have services and servers in common.
type generator struct{ *rand.Rand }

// keys returns the keys of all services that a generator makes.
func keys() []lvs.Key {
	return []lvs.Key{
		tcp("10.0.0.1:80").Key,
		tcp("10.0.0.1:443").Key,
		lvs.Key{Protocol: lvs.UDP, Address: ap("10.0.0.1:80")}.Canonical(),
		lvs.Key{Protocol: lvs.SCTP, Address: ap("[2001:db8::1]:80")}.Canonical(),
		{Mark: 7}, {Mark: 7, IPv6: true},
	}
}

func (g generator) content(keys []lvs.Key) []lvs.Wanted {
	var all []lvs.Wanted
	for _, k := range keys {
		if g.IntN(4) == 0 {
			continue
		}
		s := lvs.Service{Key: k, Scheduler: lvs.Schedulers()[g.IntN(3)]}
		if g.IntN(3) == 0 {
			s.Persistence = 300e9
			s.PersistPrefix = 24 * g.IntN(2)
		}
		all = append(all, lvs.Wanted{Service: s.Canonical(), Servers: g.servers(k)})
	}
	g.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func (g generator) servers(k lvs.Key) []lvs.Server {
	addresses := []string{"192.168.0.11:80", "192.168.0.12:80", "192.168.0.13:80", "192.168.0.1:8080"}
	if k.IPv6 {
		addresses = []string{"[fd00::11]:80", "[fd00::12]:80", "[fd00::13]:80", "[::1]:8080"}
	}
	var servers []lvs.Server
	for _, a := range addresses {
		if g.IntN(2) == 0 {
			continue
		}
		r := lvs.Server{Address: ap(a), Forward: []lvs.Forward{lvs.NAT, lvs.DR, lvs.TUN}[g.IntN(3)], Weight: g.IntN(3)}
		if r.Forward == lvs.TUN && g.IntN(2) == 0 {
			r.Tunnel = lvs.Tunnel{Type: lvs.GUE, Port: 6080, Checksum: g.IntN(2) == 0}
		}
		servers = append(servers, r)
	}
	g.Shuffle(len(servers), func(i, j int) { servers[i], servers[j] = servers[j], servers[i] })
	return servers
}

// render prints content in the form of a fake.
func render(t *testing.T, content []lvs.Wanted) string {
	t.Helper()
	var f lvstest.Fake
	load(t, &f, content...)
	return f.String()
}

func among(keys []lvs.Key) func(lvs.Key) bool {
	return func(k lvs.Key) bool { return slices.Contains(keys, k) }
}
