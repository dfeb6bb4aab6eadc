package conf

import (
	"slices"

	"holdfast/checker/probe"
)

func visitCheckBFD(t *table, s *probe.BFD, inherited probe.BFD) {
	field(t, "bfd", &s.Session, optional(name), inherited.Session)
}

// checkCheckedBFD refuses checks of sessions that there are not.
func (c *Config) checkCheckedBFD(s sections) {
	var names []string
	for i := range c.BFD {
		names = append(names, c.BFD[i].Name)
	}
	for i, t := range s.services {
		seen := map[string]bool{}
		for _, health := range c.Services[i].Health {
			for _, check := range health.Checks {
				session, ok := check.Probe.(probe.BFD)
				if !ok || session.Session == "" || slices.Contains(names, session.Session) || seen[session.Session] {
					continue
				}
				seen[session.Session] = true
				t.failf("check", "there is no [[bfd]] named %q%s", session.Session, suggest(session.Session, names))
			}
		}
	}
}
