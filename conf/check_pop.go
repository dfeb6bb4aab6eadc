package conf

import "holdfast/checker/probe"

func visitPOP(t *table, s *probe.POP, inherited probe.POP, implicit bool) {
	visitDialog(t, &s.Dialog, inherited.Dialog, implicit)
}
