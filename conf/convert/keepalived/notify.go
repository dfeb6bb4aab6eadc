package keepalived

import (
	"net"
)

// mailNeeds are the events that keepalived sends mail for.
type mailNeeds struct{ instance, group, service, server bool }

// noteMail counts smtp_alert of a block. side is "vrrp" or "checker".
func (c *converter) noteMail(body []*directive, need *bool, side string) {
	*need = c.alert(body, side, false) || *need
}

// alert tells whether a block sends mail: by its own smtp_alert, that of its side, or
// that of everything.
func (c *converter) alert(body []*directive, side string, otherwise bool) bool {
	for _, d := range []*directive{last(body, "smtp_alert"), last(c.global.body, "smtp_alert_"+side), last(c.global.body, "smtp_alert")} {
		if d != nil { // all are read, the first counts
			on, _ := truth(d)
			return on
		}
	}
	return otherwise
}

// draftNotify makes the receivers of all events.
func (c *converter) draftNotify() {
	c.draftPipes()
	c.draftMail()
	if len(c.scripts) > 0 && last(c.global.body, "script_user") == nil {
		c.report.Note(c.scripts[0].at, "keepalived runs programs as the user keepalived_script if there is one, holdfast as its own user: set user in [director.script] if there is such a user")
	}
}

func (c *converter) draftMail() {
	g := c.global.body
	server, to := last(g, "smtp_server"), all(g, "notification_email")
	from, helo, timeout := last(g, "notification_email_from"), last(g, "smtp_helo_name"), last(g, "smtp_connect_timeout")
	none := last(g, "no_checker_emails")
	last(g, "smtp_alert", "smtp_alert_vrrp", "smtp_alert_checker")
	var addresses []string
	for _, d := range to {
		for _, line := range d.body {
			addresses = append(addresses, line.args...)
		}
	}
	var events []string
	for _, k := range []struct {
		needed bool
		kind   string
	}{{c.mail.instance, "instance"}, {c.mail.group, "group"}, {c.mail.service, "service"}, {c.mail.server && none == nil, "server"}} {
		if k.needed {
			events = append(events, k.kind)
		}
	}
	switch {
	case server == nil || len(addresses) == 0:
		if len(events) > 0 && (server != nil || len(addresses) > 0) {
			c.report.Note(position(c.top[0], append([]*directive{server}, to...)...), "mail needs both smtp_server and notification_email: [notify.mail] was left out")
		}
		return
	case len(events) == 0:
		c.report.Note(server.at, "nothing has smtp_alert, so keepalived sends no mail: [notify.mail] was left out")
		return
	}
	t := c.draft.Section("notify.mail", server.at)
	host := server.arg(1)
	port := "25"
	if server.arg(2) != "" {
		port = server.arg(2)
	}
	t.Set(server.at, "server", net.JoinHostPort(host, port))
	if from != nil {
		t.Set(from.at, "from", from.arg(1))
	} else {
		t.Set(server.at, "from", "keepalived@"+c.fallbackHost())
		c.report.Note(server.at, "keepalived sends mail from keepalived@ the host's name: check from in [notify.mail]")
	}
	t.Set(to[0].at, "to", addresses)
	t.Set(server.at, "events", events)
	c.set(t, helo, "helo", argOf(helo))
	if timeout != nil {
		if v, ok := seconds(timeout.arg(1)); ok {
			t.Set(timeout.at, "timeout", duration(v))
		}
	}
	t.Comment("", comments(server)...)
}

func (c *converter) fallbackHost() string {
	if c.in.Host != "" {
		return c.in.Host
	}
	return "localhost"
}

// draftPipes makes a [[notify.fifo]] of each pipe.
func (c *converter) draftPipes() {
	states := last(c.global.body, "fifo_write_vrrp_states_on_reload")
	vrrp := []string{"instance", "group", "rival"}
	if c.global.priorityChanges {
		vrrp = append(vrrp, "priority")
	}
	checks := []string{"service", "server"}
	for _, k := range []struct {
		word   string
		events []string
	}{{"notify_fifo", append(append([]string{}, vrrp...), checks...)}, {"vrrp_notify_fifo", vrrp}, {"lvs_notify_fifo", checks}} {
		d, program := last(c.global.body, k.word), last(c.global.body, k.word+"_script")
		if d == nil {
			if program != nil {
				c.report.Note(program.at, "%s has no effect without %s", program.name(), k.word)
			}
			continue
		}
		t := c.draft.List("notify.fifo", d.at)
		t.Set(d.at, "path", d.arg(1))
		t.Comment("", d.comments...)
		t.Set(d.at, "events", k.events)
		if d.arg(2) != "" {
			t.Set(d.at, "user", d.arg(2))
		}
		if d.arg(3) != "" {
			t.Set(d.at, "group", d.arg(3))
		}
		if states != nil && k.word != "lvs_notify_fifo" {
			t.Set(states.at, "states_on_reload", true)
		}
		if program != nil {
			if p := c.program(program); p != nil {
				t.Set(program.at, "command", p.value(false))
				c.scripts = append(c.scripts, p)
			}
		}
	}
}
