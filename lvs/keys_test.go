package lvs_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/lvs"
)

// several returns a service for two ports of one address and one port of another,
// with a server that has no port and one that has.
func several() lvs.ServiceConfig {
	return lvs.ServiceConfig{
		Name: "web", Service: tcp("10.0.0.1:80"),
		Also: []lvs.Key{tcp("10.0.0.1:443").Key, tcp("10.0.0.2:80").Key},
		Servers: []lvs.ServerConfig{
			{Name: "rs1", Server: nat("192.168.0.11:0", 5)},
			{Name: "rs2", Server: nat("192.168.0.12:8080", 3)},
		},
		Fallbacks: []netip.AddrPort{ap("192.168.0.1:0")},
	}
}

func TestSeveralKeysShareTheServers(t *testing.T) {
	table := table(t, several())
	empty := "-A -t 10.0.0.1:443 -s wlc\n-a -t 10.0.0.1:443 -r 192.168.0.1:443 -m -w 1\n"
	if diff := cmp.Diff("-A -t 10.0.0.1:80 -s wlc\n-a -t 10.0.0.1:80 -r 192.168.0.1:80 -m -w 1\n"+empty+
		"-A -t 10.0.0.2:80 -s wlc\n-a -t 10.0.0.2:80 -r 192.168.0.1:80 -m -w 1\n", render(t, table.Wanted())); diff != "" {
		t.Errorf("without a server that is up (-want +got):\n%s", diff)
	}
	table.SetHealth(rs1, lvs.Up)
	table.SetHealth(lvs.Ref{Service: "web", Server: "rs2"}, lvs.Up)
	must(t, table.Drain(rs1, order))
	want := "-A -t 10.0.0.1:80 -s wlc\n" +
		"-a -t 10.0.0.1:80 -r 192.168.0.11:80 -m -w 0\n-a -t 10.0.0.1:80 -r 192.168.0.12:8080 -m -w 3\n" +
		"-A -t 10.0.0.1:443 -s wlc\n" +
		"-a -t 10.0.0.1:443 -r 192.168.0.11:443 -m -w 0\n-a -t 10.0.0.1:443 -r 192.168.0.12:8080 -m -w 3\n" +
		"-A -t 10.0.0.2:80 -s wlc\n" +
		"-a -t 10.0.0.2:80 -r 192.168.0.11:80 -m -w 0\n-a -t 10.0.0.2:80 -r 192.168.0.12:8080 -m -w 3\n"
	if diff := cmp.Diff(want, render(t, table.Wanted())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]lvs.Key{tcp("10.0.0.1:80").Key, tcp("10.0.0.1:443").Key, tcp("10.0.0.2:80").Key}, table.Keys(), addresses); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

var addresses = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

// A server that the kernel uses under any key is up, whatever the others say.
func TestAdoptUnderAnyKey(t *testing.T) {
	for _, order := range [][]int{{5, 0}, {0, 5}} {
		table := table(t, several())
		table.Adopt([]lvs.Wanted{
			wanted(tcp("10.0.0.1:80"), nat("192.168.0.11:80", order[0])),
			wanted(tcp("10.0.0.1:443"), nat("192.168.0.11:443", order[1])),
			wanted(tcp("10.0.0.2:80"), nat("192.168.0.12:80", 1)), // not its port
		})
		if h := table.Health(rs1); h != lvs.Up {
			t.Errorf("weights %v: rs1 is %v", order, h)
		}
		if h := table.Health(lvs.Ref{Service: "web", Server: "rs2"}); h != lvs.Unknown {
			t.Errorf("weights %v: rs2 is %v", order, h)
		}
	}
}

func TestStatusSumsUpTheKeys(t *testing.T) {
	table := table(t, several())
	table.SetHealth(rs1, lvs.Up)
	usage := func(service string, n uint64, rates *lvs.Rates, server string) lvs.Usage {
		count := lvs.Counters{Connections: n, BytesIn: 10 * n, Rates: rates}
		return lvs.Usage{Service: tcp(service), Counters: count, Servers: []lvs.ServerUsage{
			{Server: nat(server, 5), Counters: count, Active: uint32(n), Inactive: 1, Persistent: 2},
		}}
	}
	have := []lvs.Usage{
		usage("10.0.0.1:80", 1, &lvs.Rates{ConnectionRate: 4}, "192.168.0.11:80"),
		usage("10.0.0.1:443", 2, &lvs.Rates{ConnectionRate: 5}, "192.168.0.11:443"),
		usage("10.0.0.2:80", 4, &lvs.Rates{ConnectionRate: 6}, "192.168.0.11:80"),
	}
	all := table.Status(have)
	if len(all) != 1 {
		t.Fatalf("%d services: %+v", len(all), all)
	}
	s := all[0]
	if s.Service != "tcp 10.0.0.1:80,443 10.0.0.2:80" || !s.Present || s.ServersUp != 1 || s.ServersTotal != 2 || s.OnFallback {
		t.Errorf("got %+v", s)
	}
	want := lvs.Counters{Connections: 7, BytesIn: 70, Rates: &lvs.Rates{ConnectionRate: 15}}
	if diff := cmp.Diff(want, s.Counters); diff != "" {
		t.Errorf("service (-want +got):\n%s", diff)
	}
	r := s.Servers[0]
	if r.Address != "192.168.0.11" || !r.Present || r.Weight != 5 || r.Active != 7 || r.Inactive != 3 || r.Persistent != 6 {
		t.Errorf("got %+v", r)
	}
	if diff := cmp.Diff(want, r.Counters); diff != "" {
		t.Errorf("server (-want +got):\n%s", diff)
	}
	if s.Servers[1].Present {
		t.Errorf("rs2 is not there: %+v", s.Servers[1])
	}
	if have[0].Counters.ConnectionRate != 4 {
		t.Error("Status changed what it was given")
	}
	have[2].Servers = nil
	have[1].Counters.Rates = nil
	if s := table.Status(have)[0]; s.Servers[0].Present || s.Servers[0].Weight != 5 || s.Counters.Rates != nil {
		t.Errorf("a server that one of the services lacks: %+v", s)
	}
	if s := table.Status(have[1:])[0]; s.Present {
		t.Errorf("a service that is missing under one key: %+v", s)
	}
}

func TestSeveralKeysValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*lvs.ServiceConfig)
		want   string
	}{
		{"valid", func(*lvs.ServiceConfig) {}, ""},
		{"dr without ports", func(c *lvs.ServiceConfig) {
			c.Servers = c.Servers[:1]
			c.Servers[0].Server.Forward, c.FallbackForward = lvs.DR, lvs.DR
		}, ""},
		{"dr with a port", func(c *lvs.ServiceConfig) {
			c.Servers = []lvs.ServerConfig{{Server: lvs.Server{Address: ap("192.168.0.12:80"), Forward: lvs.DR}}}
		}, "server 192.168.0.12:80: address: must have the service's port 443, not 80: forward dr does not change ports"},
		{"the same by its port", func(c *lvs.ServiceConfig) { c.Servers[1].Server.Address = ap("192.168.0.11:443") },
			"server rs2: address: 192.168.0.11:443 is listed twice, the other time without its port"},
		{"another port of the same host", func(c *lvs.ServiceConfig) { c.Servers[1].Server.Address = ap("192.168.0.11:8080") }, ""},
		{"both families", func(c *lvs.ServiceConfig) { c.Also[1] = tcp("[2001:db8::1]:80").Key },
			"fallback: 192.168.0.1 and the service are of different address families, which needs fallback_forward = \"tun\"\n" +
				"server rs1: address: 192.168.0.11 and the service are of different address families, which needs forward = \"tun\"\n" +
				"server rs2: address: 192.168.0.12 and the service are of different address families, which needs forward = \"tun\""},
		{"a mark among addresses", func(c *lvs.ServiceConfig) { c.Also[1] = lvs.Key{Mark: 7} }, "mark: cannot be combined with protocol and address"},
		{"port 0 among others", func(c *lvs.ServiceConfig) { c.Also[1] = tcp("10.0.0.3:0").Key }, "address: port 0 (every port) needs persistence"},
		{"a prefix that is too long for one", func(c *lvs.ServiceConfig) {
			*c = lvs.ServiceConfig{Name: "both", Service: tcp("[2001:db8::1]:80"), Also: []lvs.Key{tcp("10.0.0.1:80").Key}}
			c.Service.Persistence, c.Service.PersistPrefix = time.Minute, 64
		}, "persistence_prefix: must be 1 to 32, not 64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := several()
			tt.change(&c)
			got := ""
			if err := c.Validate(); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

// The prefix of whole addresses is that of each family.
func TestSeveralFamilies(t *testing.T) {
	c := lvs.ServiceConfig{Name: "both", Service: tcp("10.0.0.1:80"), Also: []lvs.Key{tcp("[2001:db8::1]:80").Key}}
	c.Service.Persistence = time.Minute
	c.Service = c.Service.Canonical()
	want := "-A -t 10.0.0.1:80 -s wlc -p 60\n-A -t [2001:db8::1]:80 -s wlc -p 60\n"
	if diff := cmp.Diff(want, render(t, table(t, c).Wanted())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestKeyText(t *testing.T) {
	ports, err := lvs.ParseAddresses("10.0.0.1:1,3,5,7,9,11")
	if err != nil {
		t.Fatal(err)
	}
	long := lvs.ServiceConfig{Service: tcp("10.0.9.9:80")}
	for i := range 12 {
		long.Also = append(long.Also, lvs.Key{Protocol: lvs.TCP, Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 1}), 80)})
	}
	odd := lvs.ServiceConfig{Service: lvs.Service{Key: lvs.Key{Protocol: lvs.UDP, Address: ports[0]}}}
	for _, p := range ports[1:] {
		odd.Also = append(odd.Also, lvs.Key{Protocol: lvs.UDP, Address: p})
	}
	marks := lvs.ServiceConfig{Service: lvs.Service{Key: lvs.Key{Mark: 7, IPv6: true}}, Also: []lvs.Key{{Mark: 9, IPv6: true}}}
	single := lvs.ServiceConfig{Service: tcp("10.0.0.1:80")}
	for want, c := range map[string]*lvs.ServiceConfig{
		"tcp 10.0.0.1:80":           &single,
		"udp 10.0.0.1:1,3,5,7,9,11": &odd,
		"fwmark 7,9 ipv6":           &marks,
		"tcp 10.0.9.9:80 10.0.0.1:80 10.0.1.1:80 10.0.2.1:80 10.0.3.1:80 10.0.4.1:80 10.0.5.1:80 10.0.6.1:80 and 5 more": &long,
	} {
		if got := c.KeyText(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
