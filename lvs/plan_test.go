package lvs_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/lvs"
	"holdfast/lvs/lvstest"
)

func TestPlan(t *testing.T) {
	web, tls := tcp("10.0.0.1:80"), tcp("10.0.0.1:443")
	sticky := web
	sticky.Persistence, sticky.PersistPrefix, sticky.Scheduler, sticky.Flags = 300e9, 24, "mh", lvs.FlagSched2
	sticky = sticky.Canonical()
	tests := []struct {
		name       string
		have, want []lvs.Wanted
		ops        []string
	}{
		{name: "nothing to nothing"},
		{
			name: "new service, its servers after it, unusable ones last",
			want: []lvs.Wanted{wanted(web, nat("192.168.0.11:80", 0), nat("192.168.0.12:80", 5))},
			ops: []string{
				"-A -t 10.0.0.1:80 -s wlc",
				"-a -t 10.0.0.1:80 -r 192.168.0.12:80 -m -w 5",
				"-a -t 10.0.0.1:80 -r 192.168.0.11:80 -m -w 0",
			},
		}, {
			name: "order of keys, whatever the order given",
			want: []lvs.Wanted{wanted(tls), wanted(web)},
			ops:  []string{"-A -t 10.0.0.1:80 -s wlc", "-A -t 10.0.0.1:443 -s wlc"},
		}, {
			name: "parameters are edited in place",
			have: []lvs.Wanted{wanted(web, nat("192.168.0.11:80", 5))},
			want: []lvs.Wanted{wanted(sticky, lvs.Server{Address: ap("192.168.0.11:80"), Forward: lvs.DR, Weight: 7, Upper: 100, Lower: 50})},
			ops: []string{
				"-E -t 10.0.0.1:80 -s mh -p 300 -M 255.255.255.0 -b mh-port",
				"-e -t 10.0.0.1:80 -r 192.168.0.11:80 -g -w 7 -x 100 -y 50",
			},
		}, {
			name: "the fallback comes before the last server goes",
			have: []lvs.Wanted{wanted(web, nat("192.168.0.11:80", 5))},
			want: []lvs.Wanted{wanted(web, nat("192.168.0.1:8080", 1))},
			ops: []string{
				"-a -t 10.0.0.1:80 -r 192.168.0.1:8080 -m -w 1",
				"-d -t 10.0.0.1:80 -r 192.168.0.11:80",
			},
		}, {
			name: "the fallback goes after the first server is back",
			have: []lvs.Wanted{wanted(web, nat("192.168.0.1:8080", 1), nat("192.168.0.11:80", 0))},
			want: []lvs.Wanted{wanted(web, nat("192.168.0.11:80", 5))},
			ops: []string{
				"-e -t 10.0.0.1:80 -r 192.168.0.11:80 -m -w 5",
				"-d -t 10.0.0.1:80 -r 192.168.0.1:8080",
			},
		}, {
			name: "raised before lowered",
			have: []lvs.Wanted{wanted(web, nat("192.168.0.11:80", 5), nat("192.168.0.12:80", 0))},
			want: []lvs.Wanted{wanted(web, nat("192.168.0.11:80", 0), nat("192.168.0.12:80", 5))},
			ops: []string{
				"-e -t 10.0.0.1:80 -r 192.168.0.12:80 -m -w 5",
				"-e -t 10.0.0.1:80 -r 192.168.0.11:80 -m -w 0",
			},
		}, {
			name: "services go last, only ours, their servers with them",
			have: []lvs.Wanted{wanted(tls, nat("192.168.0.11:443", 1)), wanted(tcp("10.9.9.9:9"), nat("10.9.9.10:9", 1))},
			want: []lvs.Wanted{wanted(web)},
			ops:  []string{"-A -t 10.0.0.1:80 -s wlc", "-D -t 10.0.0.1:443"},
		}, {
			name: "tunnels, IPv6, marks",
			want: []lvs.Wanted{wanted(
				lvs.Service{Key: lvs.Key{Mark: 7, IPv6: true}, Scheduler: "sh", Flags: lvs.FlagSched1 | lvs.FlagSched2, Persistence: 60e9, PersistPrefix: 64, PersistEngine: "sip"}.Canonical(),
				lvs.Server{Address: ap("[fd00::1]:80"), Forward: lvs.TUN, Weight: 1, Tunnel: lvs.Tunnel{Type: lvs.GUE, Port: 6080, RemoteChecksum: true}},
				lvs.Server{Address: ap("192.168.0.11:80"), Forward: lvs.TUN, Weight: 1, Tunnel: lvs.Tunnel{Type: lvs.GRE, Checksum: true}},
			)},
			ops: []string{
				"-A -f 7 -6 -s sh -p 60 -M 64 --pe sip -b sh-fallback,sh-port",
				"-a -f 7 -6 -r 192.168.0.11:80 -i -w 1 --tun-type gre --tun-csum",
				"-a -f 7 -6 -r [fd00::1]:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum",
			},
		},
	}
	mine := among([]lvs.Key{web.Key, tls.Key})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := commands(lvs.Plan(tt.have, tt.want, mine))
			if diff := cmp.Diff(tt.ops, got, cmp.Transformer("", func(s []string) []string { return append([]string{}, s...) })); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

// naive returns the commands of a plan without their order.
func naive(have, want []lvs.Wanted, ours func(lvs.Key) bool) map[string]bool {
	set := make(map[string]bool)
	add := func(verb lvs.Verb, s lvs.Service, r lvs.Server) {
		set[lvs.Op{Verb: verb, Service: s, Server: r}.String()] = true
	}
	for _, h := range have {
		if ours(h.Service.Key) && !slices.ContainsFunc(want, func(w lvs.Wanted) bool { return w.Service.Key == h.Service.Key }) {
			add(lvs.DeleteService, h.Service, lvs.Server{})
		}
	}
	for _, w := range want {
		var held lvs.Wanted
		i := slices.IndexFunc(have, func(h lvs.Wanted) bool { return h.Service.Key == w.Service.Key })
		if i < 0 {
			add(lvs.AddService, w.Service, lvs.Server{})
		} else if held = have[i]; held.Service != w.Service {
			add(lvs.EditService, w.Service, lvs.Server{})
		}
		for _, s := range w.Servers {
			j := slices.IndexFunc(held.Servers, func(h lvs.Server) bool { return h.Address == s.Address })
			if j < 0 {
				add(lvs.AddServer, w.Service, s)
			} else if held.Servers[j] != s {
				add(lvs.EditServer, w.Service, s)
			}
		}
		for _, h := range held.Servers {
			if !slices.ContainsFunc(w.Servers, func(s lvs.Server) bool { return s.Address == h.Address }) {
				add(lvs.DeleteServer, w.Service, h)
			}
		}
	}
	return set
}

func TestPlanDoesWhatANaivePlanDoes(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(1, 2))}
	ours := among(keys()[:4])
	for i := range 5000 {
		have, want := g.content(keys()), g.content(keys()[:4])
		got := make(map[string]bool)
		ops := lvs.Plan(have, want, ours)
		for _, op := range ops {
			got[op.String()] = true
		}
		if len(got) != len(ops) {
			t.Fatalf("round %d: a change is planned twice: %v", i, commands(ops))
		}
		if diff := cmp.Diff(naive(have, want, ours), got); diff != "" {
			t.Fatalf("round %d (-naive +plan):\n%s", i, diff)
		}
	}
}

func TestPlanDependsOnContentAlone(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(3, 4))}
	for range 500 {
		have, want := g.content(keys()), g.content(keys())
		first := commands(lvs.Plan(have, want, among(keys())))
		for _, list := range [][]lvs.Wanted{have, want} {
			g.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			for _, w := range list {
				g.Shuffle(len(w.Servers), func(i, j int) { w.Servers[i], w.Servers[j] = w.Servers[j], w.Servers[i] })
			}
		}
		if diff := cmp.Diff(first, commands(lvs.Plan(have, want, among(keys())))); diff != "" {
			t.Fatalf("shuffled arguments (-before +after):\n%s", diff)
		}
	}
}

// usable reports for each service whether it has a server that gets connections.
func usable(content []lvs.Wanted) map[lvs.Key]bool {
	m := make(map[lvs.Key]bool)
	for _, w := range content {
		m[w.Service.Key] = slices.ContainsFunc(w.Servers, func(s lvs.Server) bool { return s.Weight > 0 })
	}
	return m
}

func TestRandomWalk(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(5, 6))}
	mine, foreign := keys()[:4], keys()[4:]
	var kernel lvstest.Fake
	load(t, &kernel, g.content(foreign)...)
	before, _ := kernel.Dump()
	others := render(t, before)
	for step := range 3000 {
		have, _ := kernel.Dump()
		want := g.content(mine)
		was, will := usable(have), usable(want)
		for _, op := range lvs.Plan(have, want, among(mine)) {
			if err := kernel.Do(op)[0]; err != nil {
				t.Fatalf("step %d: %v: %v", step, op, err)
			}
			now, _ := kernel.Dump()
			is := usable(now)
			for key := range was {
				if was[key] && will[key] && !is[key] {
					t.Fatalf("step %d: %v has no usable server after %v", step, key, op)
				}
			}
		}
		now, _ := kernel.Dump()
		theirs := slices.DeleteFunc(slices.Clone(now), func(w lvs.Wanted) bool { return slices.Contains(mine, w.Service.Key) })
		if diff := cmp.Diff(others, render(t, theirs)); diff != "" {
			t.Fatalf("step %d touched a foreign service (-before +after):\n%s", step, diff)
		}
		ours := slices.DeleteFunc(now, func(w lvs.Wanted) bool { return slices.Contains(foreign, w.Service.Key) })
		if diff := cmp.Diff(render(t, want), render(t, ours)); diff != "" {
			t.Fatalf("step %d did not converge (-want +got):\n%s", step, diff)
		}
		if again := lvs.Plan(now, want, among(mine)); len(again) != 0 {
			t.Fatalf("step %d: a second plan has %v", step, commands(again))
		}
	}
}

// large returns 1000 services with 10 servers each.
func large(weight int) []lvs.Wanted {
	all := make([]lvs.Wanted, 1000)
	for i := range all {
		address := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)
		all[i].Service = tcp(address.String())
		for j := range 10 {
			server := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, byte(i >> 8), byte(j)}), 80)
			all[i].Servers = append(all[i].Servers, lvs.Server{Address: server, Weight: weight})
		}
	}
	return all
}

func BenchmarkPlan(b *testing.B) {
	ours := func(lvs.Key) bool { return true }
	for _, bm := range []struct {
		name       string
		have, want []lvs.Wanted
		ops        int
	}{
		{"equal", large(1), large(1), 0},
		{"new", nil, large(1), 11000},
		{"edit", large(1), large(2), 10000},
		{"delete", large(1), nil, 1000},
	} {
		b.Run(fmt.Sprintf("%s/1000x10", bm.name), func(b *testing.B) {
			for b.Loop() {
				if ops := lvs.Plan(bm.have, bm.want, ours); len(ops) != bm.ops {
					b.Fatalf("%d changes, want %d", len(ops), bm.ops)
				}
			}
		})
	}
}
