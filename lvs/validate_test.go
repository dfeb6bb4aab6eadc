package lvs_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"holdfast/lvs"
)

func TestValidate(t *testing.T) {
	service := func(change func(*lvs.Service)) func(*lvs.ServiceConfig) {
		return func(c *lvs.ServiceConfig) { change(&c.Service) }
	}
	server := func(change func(*lvs.Server)) func(*lvs.ServiceConfig) {
		return func(c *lvs.ServiceConfig) { change(&c.Servers[1].Server) }
	}
	tests := []struct {
		name   string
		change func(*lvs.ServiceConfig)
		want   string
	}{
		{"valid", func(*lvs.ServiceConfig) {}, ""},
		{"fwmark", service(func(s *lvs.Service) { s.Key = lvs.Key{Mark: 7} }), ""},
		{"loopback", func(c *lvs.ServiceConfig) { c.Fallbacks = []netip.AddrPort{ap("127.0.0.1:8080")} },
			"fallback: the kernel does not forward with nat to a loopback address, 127.0.0.1: use another address of this director"},
		{"every port", service(func(s *lvs.Service) { s.Key.Address = ap("10.0.0.1:0"); s.Persistence = time.Minute }), ""},
		{"no name", func(c *lvs.ServiceConfig) { c.Name = "" }, "name: is needed"},
		{"mark and address", service(func(s *lvs.Service) { s.Key.Mark = 7 }), "mark: cannot be combined with protocol and address"},
		{"neither", func(c *lvs.ServiceConfig) { c.Service.Key = lvs.Key{} }, "address: is needed, or mark"},
		{"protocol", service(func(s *lvs.Service) { s.Key.Protocol = 1 }), "protocol: must be tcp, udp or sctp"},
		{"every port without persistence", service(func(s *lvs.Service) { s.Key.Address = ap("10.0.0.1:0") }), "address: port 0 (every port) needs persistence"},
		{"zone", service(func(s *lvs.Service) { s.Key.Address = ap("[fe80::1%eth0]:80") }), "address: fe80::1%eth0 must not contain an interface\n" +
			"fallback: 192.168.0.1 and the service are of different address families, which needs fallback_forward = \"tun\"\n" +
			"server 192.168.0.11:80: address: 192.168.0.11 and the service are of different address families, which needs forward = \"tun\"\n" +
			"server rs2: address: 192.168.0.12 and the service are of different address families, which needs forward = \"tun\""},
		{"scheduler", service(func(s *lvs.Service) { s.Scheduler = "best" }), `scheduler: "best" is not one of [rr wrr lc wlc sed nq dh sh lblc lblcr mh fo ovf twos]`},
		{"persistence", service(func(s *lvs.Service) { s.Persistence = 1500 * time.Millisecond }), "persistence: must be whole seconds up to 744h0m0s, not 1.5s"},
		{"prefix", service(func(s *lvs.Service) { s.Persistence, s.PersistPrefix = time.Second, 33 }), "persistence_prefix: must be 1 to 32, not 33"},
		{"engine", service(func(s *lvs.Service) { s.Persistence, s.PersistEngine = time.Second, "h323" }), `persistence_engine: must be sip, not "h323"`},
		{"engine alone", service(func(s *lvs.Service) { s.PersistEngine = "sip" }), "persistence_engine: has no effect without persistence"},
		{"one packet", service(func(s *lvs.Service) { s.Flags = lvs.FlagOnePacket }), "one_packet: works with udp services only"},
		{"follow", func(c *lvs.ServiceConfig) { c.Active = lvs.ActiveMaster }, `follow: is needed with active = "master": the name of a group or instance`},
		{"fallback among the servers", func(c *lvs.ServiceConfig) { c.Fallbacks = []netip.AddrPort{ap("192.168.0.12:80")} }, "fallback: 192.168.0.12:80 is one of the servers"},
		{"fallback twice", func(c *lvs.ServiceConfig) { c.Fallbacks = append(c.Fallbacks, c.Fallbacks...) }, "fallback: 192.168.0.1:8080 is listed twice"},
		{"quorum", func(c *lvs.ServiceConfig) { c.Quorum = -1 }, "quorum: must be at least 1, not -1"},
		{"hysteresis", func(c *lvs.ServiceConfig) { c.Quorum, c.Hysteresis = 3, 3 }, "hysteresis: must be less than the quorum 3, not 3"},
		{"hysteresis alone", func(c *lvs.ServiceConfig) { c.Hysteresis = 1 }, "hysteresis: must be less than the quorum 1, not 1"},
		{"slow start", func(c *lvs.ServiceConfig) { c.SlowStart = time.Millisecond }, "slow_start: must be whole seconds, not 1ms"},
		{"fallback's family", func(c *lvs.ServiceConfig) { c.Fallbacks = []netip.AddrPort{ap("[fd00::1]:80")} }, "fallback: fd00::1 and the service are of different address families, which needs fallback_forward = \"tun\""},
		{"fallback's port", func(c *lvs.ServiceConfig) { c.FallbackForward = lvs.DR }, "fallback: must have the service's port 80, not 8080: forward dr does not change ports"},
		{"server's address", server(func(s *lvs.Server) { s.Address = netip.AddrPort{} }), "server rs2: address: is needed"},
		{"no host", server(func(s *lvs.Server) { s.Address = ap("0.0.0.0:80") }), "server rs2: address: 0.0.0.0 is not the address of a host"},
		{"twice", server(func(s *lvs.Server) { s.Address = ap("[::ffff:192.168.0.11]:80") }), "server rs2: address: 192.168.0.11:80 is listed twice"},
		{"name twice", func(c *lvs.ServiceConfig) { c.Servers[0].Name = "rs2" }, "server rs2: name: is given twice"},
		{"forward", server(func(s *lvs.Server) { s.Forward = 1 }), "server rs2: forward: must be nat, dr or tun"},
		{"port of dr", server(func(s *lvs.Server) { s.Forward, s.Address = lvs.DR, ap("192.168.0.12:81") }), "server rs2: address: must have the service's port 80, not 81: forward dr does not change ports"},
		{"weight", server(func(s *lvs.Server) { s.Weight = -1 }), "server rs2: weight: must be 0 to 2147483647, not -1"},
		{"thresholds", server(func(s *lvs.Server) { s.Lower = 5 }), "server rs2: lower_threshold: 5 is above upper_threshold, 0"},
		{"tunnel without tun", server(func(s *lvs.Server) { s.Tunnel.Type = lvs.GRE }), "server rs2: tunnel: has no effect with forward nat"},
		{"gue without port", server(func(s *lvs.Server) { s.Forward, s.Tunnel.Type = lvs.TUN, lvs.GUE }), "server rs2: tunnel_port: is needed with gue"},
		{"gre with port", server(func(s *lvs.Server) { s.Forward, s.Tunnel = lvs.TUN, lvs.Tunnel{Type: lvs.GRE, Port: 1} }), "server rs2: tunnel_port: has no effect with gre"},
		{"ipip with checksum", server(func(s *lvs.Server) { s.Forward, s.Tunnel = lvs.TUN, lvs.Tunnel{Checksum: true} }), "server rs2: tunnel_checksum: has no effect with ipip"},
		{"tun crosses families", server(func(s *lvs.Server) { s.Forward, s.Address = lvs.TUN, ap("[fd00::1]:80") }), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := web()
			c.Servers[0].Name, c.Servers[1].Name = "", "rs2"
			tt.change(&c)
			err := c.Validate()
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
			if err == nil {
				return
			}
			for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
				if field := new(lvs.FieldError); !errors.As(e, &field) {
					t.Errorf("%v is not a FieldError", e)
				}
			}
		})
	}
}

func TestMixedFamilies(t *testing.T) {
	c := web()
	if c.MixedFamilies() {
		t.Error("a service with IPv4 only is reported as mixed")
	}
	c.Servers[1].Server.Address = ap("[fd00::1]:80")
	if !c.MixedFamilies() {
		t.Error("an IPv6 server of an IPv4 service is not reported as mixed")
	}
}
