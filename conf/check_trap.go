package conf

import (
	"time"

	"holdfast/checker/probe"
)

func visitCheckTrap(t *table, s *probe.Trap, inherited probe.Trap) {
	field(t, "silence", &s.Silence, duration(0, 30*24*time.Hour), inherited.Silence)
	field(t, "lasts", &s.Lasts, duration(0, 30*24*time.Hour), inherited.Lasts)
	field(t, "environment", &s.Environment, listOf(environmentVariable), inherited.Environment)
	if !t.reading() {
		return
	}
	for key, d := range map[string]time.Duration{"silence": s.Silence, "lasts": s.Lasts} {
		if t.ok(key) && d > 0 && d < time.Second {
			t.failf(key, "must be at least 1s")
		}
	}
}

// Trapped returns the services that take traps of mon, with the check of their first
// server that does.
func (c *Config) Trapped() map[string]probe.Trap {
	all := map[string]probe.Trap{}
	for i := range c.Services {
		s := &c.Services[i]
		if trap, ok := s.trap(); ok {
			all[s.Name] = trap
		}
	}
	return all
}

func (s *Service) trap() (probe.Trap, bool) {
	for _, health := range s.Health {
		for i := range health.Checks {
			if trap, ok := health.Checks[i].Probe.(probe.Trap); ok {
				return trap, true
			}
		}
	}
	return probe.Trap{}, false
}

// checkTraps warns of checks that no trap can reach, and of traps that nobody takes.
func (c *Config) checkTraps(s sections) {
	taken := false
	for i, t := range s.services {
		if _, ok := c.Services[i].trap(); ok {
			taken = true
			if len(c.MonTraps.Listen) == 0 {
				t.warnf("check", "no trap reaches the check, because [mon_traps] has no listen")
			}
		}
	}
	if len(c.MonTraps.Listen) > 0 && !taken && s.monTraps != nil {
		s.monTraps.warnf("listen", "no [[service]] has a check of type trap, so each trap is refused")
	}
}
