package conf

import "holdfast/checker/probe"

// Monitor returns what a monitor of mon that speaks for all servers of the service, or a
// check of type trap, has in its environment. ok is false if the service has neither.
func (s *Service) Monitor() (environment []string, ok bool) {
	for _, health := range s.Health {
		for i := range health.Checks {
			switch settings := health.Checks[i].Probe.(type) {
			case probe.External:
				if settings.SpeaksForAll() {
					return settings.Environment, true
				}
			case probe.Trap:
				return settings.Environment, true
			}
		}
	}
	return nil, false
}
