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

	// Pace is one of clock and check. With check: Change is one of none, summary and
	// output, and Strict and Unpaired are as package alert has them.
	Pace, Change     string
	Strict, Unpaired bool

	MailTo   []string
	Webhooks []string // names of webhooks
	Traps    []string // names of traps
	Command  Command
	// RecoveryCommand replaces Command for recoveries.
	RecoveryCommand Command
	Style           AlertStyle
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

// alertPace and alertChange are the words of package cmd/internal/alert.
var (
	alertPace   = choice(option[string]{"clock", "clock"}, option[string]{"check", "check"})
	alertChange = choice(option[string]{"none", "none"}, option[string]{"summary", "summary"}, option[string]{"output", "output"})
)

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
	field(t, "pace", &a.Pace, alertPace, "clock")
	gather := 5 * time.Second
	if a.Pace == "check" {
		gather = 0
	}
	if t.reading() || a.Pace != "check" {
		field(t, "gather", &a.Gather, duration(0, time.Hour), gather)
	}
	field(t, "every", &a.Every, duration(0, 30*24*time.Hour), 0)
	field(t, "limit", &a.Limit, integer[int](0, 1000), 0)
	if t.reading() || a.Pace == "check" {
		field(t, "change", &a.Change, alertChange, "none")
		field(t, "strict", &a.Strict, boolean, false)
		field(t, "unpaired", &a.Unpaired, boolean, false)
	}
	field(t, "recovery", &a.Recovery, boolean, true)
	field(t, "mail_to", &a.MailTo, listOf(mailAddress), nil)
	field(t, "webhooks", &a.Webhooks, listOf(name), nil)
	field(t, "traps", &a.Traps, listOf(name), nil)
	field(t, "command", &a.Command, command, Command{})
	field(t, "recovery_command", &a.RecoveryCommand, command, Command{})
	if t.reading() || a.runs() {
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
	a.checkPace(t)
	if !a.runs() {
		t.forbid("without a command", "style")
		a.Style = AlertPlain
	}
	if !a.Recovery {
		t.forbid("with recovery = false", "recovery_command", "unpaired")
	}
	if len(a.MailTo)+len(a.Webhooks)+len(a.Traps) == 0 && !a.runs() && t.ok("mail_to", "webhooks", "traps", "command", "recovery_command") {
		t.warnf("", "it has no receiver of its own: its alerts are in the journal, and go to webhooks, pipes and mail with events = [\"alert\"]")
	}
}

// runs reports whether the alert runs a program.
func (a *Alert) runs() bool { return len(a.Command.Argv)+len(a.RecoveryCommand.Argv) > 0 }

// checkPace checks the keys of the two paces.
func (a *Alert) checkPace(t *table) {
	if a.Pace != "check" {
		t.forbid(`without pace = "check"`, "change", "strict", "unpaired")
		a.Change, a.Strict, a.Unpaired = "none", false, false
		if a.Every == 0 {
			forbidUnless(t, "without every", map[string]bool{"limit": a.Limit == 0})
		}
		return
	}
	t.forbid(`with pace = "check"`, "gather")
	a.Gather = 0
	if t.ok("events") && !slices.Equal(a.Events, []string{"service"}) {
		t.failf("events", `must be ["service"] with pace = "check", which is about the monitors of services`)
	}
	if a.Every%time.Second != 0 && t.ok("every") {
		t.failf("every", `must be whole seconds with pace = "check"`)
	}
	if a.Every == 0 {
		forbidUnless(t, "without every", map[string]bool{"change": a.Change == "none", "strict": !a.Strict})
	}
}

// checkReceivers refuses names of receivers that are not configured.
func checkReceivers(t *table, key, kind string, wanted, there []string) {
	for _, w := range wanted {
		if !slices.Contains(there, w) && t.ok(key) {
			t.failf(key, "there is no [[notify.%s]] named %q%s", kind, w, suggest(w, there))
		}
	}
}

// checkAlerts refuses alerts of one name, and receivers that do not exist.
func (c *Config) checkAlerts(s sections) {
	seen := make(unique[string])
	var hooks, traps []string
	for i := range c.Notify.Webhooks {
		hooks = append(hooks, c.Notify.Webhooks[i].Name)
	}
	for i := range c.Notify.Traps {
		traps = append(traps, c.Notify.Traps[i].Name)
	}
	followable, _ := c.followable()
	for i, t := range s.alerts {
		a := &c.Alerts[i]
		t.useOnce(seen, "name", a.Name)
		if len(a.MailTo) > 0 && c.Notify.Mail.Server == "" && t.ok("mail_to") {
			t.failf("mail_to", "needs the server of [notify.mail]")
		}
		checkReceivers(t, "webhooks", "webhook", a.Webhooks, hooks)
		checkReceivers(t, "traps", "trap", a.Traps, traps)
		if a.Follow != "" && !slices.Contains(followable, a.Follow) && t.ok("follow") {
			t.failf("follow", "there is no [[group]] or [[vrrp]] named %q%s", a.Follow, suggest(a.Follow, followable))
		}
	}
}
