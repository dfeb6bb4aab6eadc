package conf

import (
	"net/netip"

	"holdfast/checker"
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

// through makes config ask a server at the address of its service, if c says so.
func (c *Check) through(s *Service, server netip.AddrPort, config *checker.Config) {
	if c.Via == ViaVIP {
		config.Address = netip.AddrPortFrom(s.Service.Key.Address.Addr(), config.Address.Port())
		config.Dial.Toward = server.Addr()
	}
}

// resolveVia refuses a check through the address of the service where no packet
// would get to the server by it.
func (r *server) resolveVia(t *table, s *Service, c *Check) {
	k := s.Service.Key
	switch {
	case c.Via != ViaVIP || !c.asks():
	case s.Active == lvs.ActiveNever:
		t.failf("check", `via = "vip" needs a service that is not active = "never"`)
	case k.Mark != 0:
		t.failf("check", `via = "vip" needs a service with an address: a mark does not say what to connect to`)
	case r.Server.Forward == lvs.NAT:
		t.failf("check", `via = "vip" is for servers with forward = "dr" or "tun": a server behind nat does not have the address of the service`)
	case r.Server.Address.Addr().Unmap().Is6() != k.Canonical().IPv6:
		t.failf("check", `via = "vip" needs a server of the address family of the service`)
	case c.Address.IsValid() || c.Dial.Mark != 0:
		t.failf("check", `via = "vip" decides the address and the mark: neither can be given`)
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
