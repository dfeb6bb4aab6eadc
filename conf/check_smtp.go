package conf

import "holdfast/checker/probe"

func visitSMTP(t *table, s *probe.SMTP, inherited probe.SMTP, implicit bool) {
	visitDialog(t, &s.Dialog, inherited.Dialog, implicit)
	field(t, "hello", &s.Hello, text, inherited.Hello)
	field(t, "auth", &s.Auth, smtpAuth, inherited.Auth)
	field(t, "from", &s.From, text, inherited.From)
	field(t, "to", &s.To, text, inherited.To)
	field(t, "code", &s.Code, listOf(statusRange), inherited.Code)
}

// smtpAuth is how an SMTP check logs in.
var smtpAuth = wordOf(probe.SMTPAuth())
