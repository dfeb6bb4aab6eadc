package conf

import "holdfast/checker/probe"

// Monitor returns what a monitor of mon that speaks for all servers of the service has in
// its environment. ok is false if the service has no such monitor.
func (s *Service) Monitor() (environment []string, ok bool) {
	for _, health := range s.Health {
		for i := range health.Checks {
			if e, isExternal := health.Checks[i].Probe.(probe.External); isExternal && e.SpeaksForAll() {
				return e.Environment, true
			}
		}
	}
	return nil, false
}
