package conf

import (
	"slices"

	"holdfast/lvs"
)

// Unasked returns the names of the services whose realservers must have the address of the
// service, by dr or tun, where no check finds out whether they do. Nothing may be wrong with
// them, so they are no warnings.
func (c *Config) Unasked() (names []string) {
	for i := range c.Services {
		if c.Services[i].unasked() {
			names = append(names, c.Services[i].Name)
		}
	}
	return names
}

func (s *Service) unasked() bool {
	if s.Active == lvs.ActiveNever || s.Service.Key.Mark != 0 {
		return false
	}
	asks := false
	for i := range s.Servers {
		if s.Servers[i].Server.Forward == lvs.NAT {
			continue
		}
		if slices.ContainsFunc(s.Health[i].Checks, func(c Check) bool { return c.Via == ViaVIP }) {
			return false
		}
		asks = asks || s.Health[i].asks()
	}
	return asks
}
