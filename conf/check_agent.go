package conf

import "holdfast/checker/probe"

func visitAgent(t *table, s *probe.Agent, inherited probe.Agent) {
	field(t, "send", &s.Send, anyText, inherited.Send)
	field(t, "optional", &s.Optional, boolean, inherited.Optional)
}
