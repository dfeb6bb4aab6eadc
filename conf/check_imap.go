package conf

import "holdfast/checker/probe"

func visitIMAP(t *table, s *probe.IMAP, inherited probe.IMAP, implicit bool) {
	visitDialog(t, &s.Dialog, inherited.Dialog, implicit)
	field(t, "mailbox", &s.Mailbox, text, inherited.Mailbox)
}
