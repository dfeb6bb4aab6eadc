package conf

import (
	"fmt"
	"path"
	"slices"
	"time"
)

// An Alert is a rule that makes messages of failures: which, when, how often, and to
// whom. The words are those of package cmd/internal/alert.
type Alert struct {
	Name     string
	Events   []string // elements of AlertKinds
	Subjects []string // patterns; empty: all
	Unless   []string // patterns
	Period   string   // as package period reads it; "": always
	Follow   string   // an instance or group that must be MASTER here; "": no matter
	After    int      // failures
	Within   time.Duration
	Hold     time.Duration
	Gather   time.Duration
	Every    time.Duration
	Limit    int // 0: none
	Recovery bool

	MailTo   []string
	Webhooks []string // names of webhooks
	Command  Command
	Style    AlertStyle
}

// AlertKinds are the kinds of events that can report a failure.
var AlertKinds = []string{"instance", "group", "rival", "service", "server", "tracker", "bfd", "problem"}

// An AlertStyle is how the command of an alert is called.
type AlertStyle string

// The styles.
const (
	AlertPlain AlertStyle = "plain" // ALERT name DOWN|UP number
	AlertMon   AlertStyle = "mon"   // -s service -g group -h hosts -t time [-u]
)

var alertStyle = choice(option[AlertStyle]{"plain", AlertPlain}, option[AlertStyle]{"mon", AlertMon})

var alertKind = textual("the kind of an event", func(s string) (string, error) {
	if !slices.Contains(AlertKinds, s) {
		return "", fmt.Errorf("must be %s, not %s%s", orList(AlertKinds), quoteShort(s), suggest(s, AlertKinds))
	}
	return s, nil
}, func(s string) string { return s })

// subjectPattern is the name of a subject, which may have the wildcards of a shell.
var subjectPattern = textual("a name or pattern", func(s string) (string, error) {
	if _, err := path.Match(s, ""); err != nil || s == "" {
		return "", fmt.Errorf(`must be a name or a pattern like "web" or "web/*", not %s`, quoteShort(s))
	}
	return s, nil
}, func(s string) string { return s })

func (a *Alert) visit(t *table) {
	need(t, "name", &a.Name, name)
	field(t, "events", &a.Events, listOf(alertKind), []string{"instance", "group", "service", "server"})
	field(t, "subjects", &a.Subjects, listOf(subjectPattern), nil)
	field(t, "unless", &a.Unless, listOf(subjectPattern), nil)
	field(t, "period", &a.Period, periodText, "")
	field(t, "follow", &a.Follow, optional(name), "")
	field(t, "after", &a.After, integer[int](1, 1000), 1)
	field(t, "within", &a.Within, duration(0, 7*24*time.Hour), 0)
	field(t, "hold", &a.Hold, duration(0, 24*time.Hour), 0)
	field(t, "gather", &a.Gather, duration(0, time.Hour), 5*time.Second)
	field(t, "every", &a.Every, duration(0, 30*24*time.Hour), 0)
	field(t, "limit", &a.Limit, integer[int](0, 1000), 0)
	field(t, "recovery", &a.Recovery, boolean, true)
	field(t, "mail_to", &a.MailTo, listOf(mailAddress), nil)
	field(t, "webhooks", &a.Webhooks, listOf(name), nil)
	field(t, "command", &a.Command, command, Command{})
	if t.reading() || len(a.Command.Argv) > 0 {
		field(t, "style", &a.Style, alertStyle, AlertPlain)
	}
	if t.reading() {
		a.check(t)
	}
}

// check checks combinations of keys.
func (a *Alert) check(t *table) {
	if len(a.Events) == 0 && t.ok("events") {
		t.failf("events", "needs at least one kind of event")
	}
	if a.After < 2 {
		forbidUnless(t, "without after = 2 or more", map[string]bool{"within": a.Within == 0})
	}
	if a.Every == 0 {
		forbidUnless(t, "without every", map[string]bool{"limit": a.Limit == 0})
	}
	if len(a.Command.Argv) == 0 {
		t.forbid("without a command", "style")
		a.Style = AlertPlain
	}
	if len(a.MailTo) == 0 && len(a.Webhooks) == 0 && len(a.Command.Argv) == 0 && t.ok("mail_to", "webhooks", "command") {
		t.warnf("", "it has no receiver of its own: its alerts are in the journal, and go to webhooks, pipes and mail with events = [\"alert\"]")
	}
}

// checkAlerts refuses alerts of one name, and receivers that do not exist.
func (c *Config) checkAlerts(s sections) {
	seen := make(unique[string])
	var hooks []string
	for i := range c.Notify.Webhooks {
		hooks = append(hooks, c.Notify.Webhooks[i].Name)
	}
	followable, _ := c.followable()
	for i, t := range s.alerts {
		a := &c.Alerts[i]
		t.useOnce(seen, "name", a.Name)
		if len(a.MailTo) > 0 && c.Notify.Mail.Server == "" && t.ok("mail_to") {
			t.failf("mail_to", "needs the server of [notify.mail]")
		}
		for _, hook := range a.Webhooks {
			if !slices.Contains(hooks, hook) && t.ok("webhooks") {
				t.failf("webhooks", "there is no [[notify.webhook]] named %q%s", hook, suggest(hook, hooks))
			}
		}
		if a.Follow != "" && !slices.Contains(followable, a.Follow) && t.ok("follow") {
			t.failf("follow", "there is no [[group]] or [[vrrp]] named %q%s", a.Follow, suggest(a.Follow, followable))
		}
	}
}
