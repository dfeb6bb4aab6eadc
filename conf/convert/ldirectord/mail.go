package ldirectord

import (
	"net"
	"strings"
	"time"

	"holdfast/conf/convert"
)

// mailSettings are the directives about mail, of the file or of a service.
type mailSettings struct {
	to, from, server, states string
	every                    int // seconds; 0: one mail
	hasEvery                 bool
}

// alert writes an [[alert]] about a service.
func (c *converter) alert(v *virtual) {
	m := c.globals.mail
	at := c.globals.at["emailalert"]
	if v.mail.to != "" {
		m.to, at = v.mail.to, v.position("emailalert")
	}
	if v.mail.hasEvery {
		m.every = v.mail.every
	}
	if v.mail.states != "" {
		m.states = v.mail.states
	}
	if v.mail.server != "" && v.mail.server != c.globals.mail.server {
		c.report.Person(v.position("smtp"), "smtp: holdfast has one mail server, that of [notify.mail]")
	}
	if m.to == "" || m.states == "none" {
		return
	}
	c.mailServer(&m, v)
	t := c.draft.List("alert", at)
	t.Set(at, "name", v.name)
	t.Set(at, "events", []string{"server"})
	t.Set(at, "subjects", []string{v.name})
	if m.every > 0 {
		t.Set(v.position("emailalertfreq"), "every", (time.Duration(m.every) * time.Second).String())
	}
	t.Set(at, "mail_to", strings.FieldsFunc(m.to, func(r rune) bool { return r == ',' || r == ' ' }))
	if m.states != "" && m.states != "all" {
		c.once("emailalertstatus", at, "emailalertstatus: holdfast tells of a failure once, whether it starts, reloads or runs; a restart tells nothing again")
	}
}

// mailServer writes [notify.mail], which only alerts use.
func (c *converter) mailServer(m *mailSettings, v *virtual) {
	at := c.globals.at["emailalert"]
	if at == (convert.Position{}) {
		at = v.position("emailalert")
	}
	t := c.draft.Section("notify.mail", at)
	if t.Has("server") {
		return
	}
	server := firstText(m.server, "localhost")
	if m.server == "" {
		c.report.Note(at, "ldirectord sends mail by the program mail; holdfast sends it by SMTP to localhost")
	}
	from := m.from
	if from == "" {
		from = "root@localhost"
		c.report.Note(at, "the sender of mail is %s: holdfast needs one; change it if the mail server refuses it", from)
	}
	t.Set(at, "server", net.JoinHostPort(server, "25"))
	t.Set(at, "from", from)
	t.Set(at, "to", strings.FieldsFunc(m.to, func(r rune) bool { return r == ',' || r == ' ' }))
	t.Set(at, "events", []string{"director"})
}
