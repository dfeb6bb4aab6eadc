package conf

import "holdfast/checker/probe"

func visitFTP(t *table, s *probe.FTP, inherited probe.FTP, implicit bool) {
	visitDialog(t, &s.Dialog, inherited.Dialog, implicit)
	field(t, "file", &s.File, anyText, inherited.File)
	field(t, "expect", &s.Expect, regularExpression, inherited.Expect)
}
