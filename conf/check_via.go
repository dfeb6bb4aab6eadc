package conf

import (
	"net/netip"

	"holdfast/lvs"
)

// Via says at which address a check asks a server.
type Via uint8

// The choices.
const (
	ViaServer Via = iota // its own
	ViaVIP               // that of the service, by a virtual service for this server alone
)

var via = choice(option[Via]{"server", ViaServer}, option[Via]{"vip", ViaVIP})

// viaMarks is how many marks from LVS.ViaMark on are kept for checks.
const viaMarks = 65536

// atVIP returns the address of the service in place of a server's, with its port.
func (s *Service) atVIP(server netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(s.Service.Key.Address.Addr(), server.Port())
}

// resolveVia refuses a check through the address of the service where no packet
// would get to the server by it.
func (r *server) resolveVia(t *table, s *Service) {
	switch {
	case r.Check.Via != ViaVIP || !r.Check.asks():
	case s.Service.Key.Mark != 0:
		t.failf("check", "via = \"vip\" needs a service with an address: a mark does not say what to connect to")
	case r.Server.Forward == lvs.NAT:
		t.failf("check", "via = \"vip\" is for servers with forward = \"dr\" or \"tun\": a server behind nat does not have the address of the service")
	}
}

// checkViaMarks refuses services whose marks are kept for checks.
func (c *Config) checkViaMarks(tables []*table) {
	for i, t := range tables {
		for _, k := range c.Services[i].Keys() {
			if k.Mark != 0 && k.Mark-c.LVS.ViaMark < viaMarks && t.ok("mark") {
				t.failf("mark", "%d is one of the marks from %d on that are kept for checks with via = \"vip\": choose another via_mark in [lvs]", k.Mark, c.LVS.ViaMark)
				break
			}
		}
	}
}
