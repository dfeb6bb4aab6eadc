package conf

import "holdfast/checker/probe"

func visitSSH(t *table, s *probe.SSH, inherited probe.SSH) {
	field(t, "banner", &s.Banner, regularExpression, inherited.Banner)
}
