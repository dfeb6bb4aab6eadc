package conf

import "holdfast/checker/probe"

func visitNNTP(t *table, s *probe.NNTP, inherited probe.NNTP, implicit bool) {
	visitDialog(t, &s.Dialog, inherited.Dialog, implicit)
	field(t, "group", &s.Group, text, inherited.Group)
}
