package conf

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// An Alert is a rule that makes messages of failures: which, when, how often, and to
// whom. The words are those of package cmd/internal/alert.
type Alert struct {
	Name     string
	Events   []string   // elements of AlertKinds
	Subjects []string   // patterns; empty: all
	Unless   [][]string // patterns; see conditions
	Period   string     // as package period reads it; "": always
	Follow   string     // an instance or group that must be MASTER here; "": no matter
	After    int        // failures
	Within   time.Duration
	Hold     time.Duration
	Gather   time.Duration
	Every    time.Duration
	Limit    int // 0: none
	Recovery bool

	// Pace is one of clock, check and run. With check: Change is one of none, summary and
	// output, AckEnds one of recovery and change, and the others are as package alert has
	// them.
	Pace, Change, AckEnds string
	Strict, Unpaired      bool
	Exit, OtherExit       []ExitRange

	MailTo   []string
	Webhooks []string // names of webhooks
	Traps    []string // names of traps
	Command  Command
	// RecoveryCommand replaces Command for recoveries.
	RecoveryCommand Command
	// StartupCommand runs at the start of the daemon, and with StartupOnReload at each
	// reload; AckCommand when somebody has acknowledged a failure.
	StartupCommand, AckCommand Command
	StartupOnReload            bool
	Style                      AlertStyle
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
	alertPace    = choice(same("clock", "check", "run")...)
	alertAckEnds = choice(same("recovery", "change")...)
	alertChange  = choice(option[string]{"none", "none"}, option[string]{"summary", "summary"}, option[string]{"output", "output"})
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

// condition is a pattern of subjects of which one fails, or behind an exclamation mark
// one of which none fails.
var condition = textual("a name or pattern", func(s string) (string, error) {
	if _, err := path.Match(strings.TrimPrefix(s, "!"), ""); err != nil || strings.TrimPrefix(s, "!") == "" {
		return "", fmt.Errorf(`must be a name or a pattern like "web" or "web/*", or "!web", not %s`, quoteShort(s))
	}
	return s, nil
}, func(s string) string { return s })

func (a *Alert) visit(t *table) {
	need(t, "name", &a.Name, name)
	field(t, "events", &a.Events, listOf(alertKind), []string{"instance", "group", "service", "server"})
	field(t, "subjects", &a.Subjects, listOf(subjectPattern), nil)
	field(t, "pace", &a.Pace, alertPace, "clock")
	if t.reading() || a.Pace != "run" {
		a.visitTimes(t)
	}
	if t.reading() || a.Pace == "check" {
		a.visitRuns(t)
	}
	a.visitReceivers(t)
	if t.reading() {
		a.check(t)
	}
}

// visitTimes visits the keys that say when a message is due.
func (a *Alert) visitTimes(t *table) {
	field(t, "unless", &a.Unless, conditionsOf(condition), nil)
	field(t, "period", &a.Period, periodText, "")
	field(t, "follow", &a.Follow, optional(name), "")
	field(t, "after", &a.After, integer[int](1, 1000), 1)
	field(t, "within", &a.Within, duration(0, 7*24*time.Hour), 0)
	field(t, "hold", &a.Hold, duration(0, 24*time.Hour), 0)
	gather := 5 * time.Second
	if a.Pace != "clock" {
		gather = 0
	}
	if t.reading() || a.Pace == "clock" {
		field(t, "gather", &a.Gather, duration(0, time.Hour), gather)
	}
	field(t, "every", &a.Every, duration(0, 30*24*time.Hour), 0)
	field(t, "limit", &a.Limit, integer[int](0, 1000), 0)
	field(t, "recovery", &a.Recovery, boolean, true)
}

// visitRuns visits the keys about the runs of a monitor.
func (a *Alert) visitRuns(t *table) {
	field(t, "change", &a.Change, alertChange, "none")
	field(t, "strict", &a.Strict, boolean, false)
	field(t, "unpaired", &a.Unpaired, boolean, false)
	field(t, "exit", &a.Exit, listOf(exitRange), nil)
	field(t, "other_exit", &a.OtherExit, listOf(exitRange), nil)
	field(t, "ack_ends", &a.AckEnds, alertAckEnds, "recovery")
}

// visitReceivers visits the keys about those who get the messages.
func (a *Alert) visitReceivers(t *table) {
	if t.reading() || a.Pace != "run" {
		field(t, "mail_to", &a.MailTo, listOf(mailAddress), nil)
		field(t, "webhooks", &a.Webhooks, listOf(name), nil)
		field(t, "traps", &a.Traps, listOf(name), nil)
	}
	field(t, "command", &a.Command, command, Command{})
	field(t, "recovery_command", &a.RecoveryCommand, command, Command{})
	field(t, "startup_command", &a.StartupCommand, command, Command{})
	if t.reading() || len(a.StartupCommand.Argv) > 0 {
		field(t, "startup_on_reload", &a.StartupOnReload, boolean, false)
	}
	if t.reading() || a.Pace != "run" {
		field(t, "ack_command", &a.AckCommand, command, Command{})
	}
	if t.reading() || a.Runs() {
		field(t, "style", &a.Style, alertStyle, AlertPlain)
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
	if !a.Runs() {
		t.forbid("without a command", "style")
		a.Style = AlertPlain
	}
	if !a.Recovery {
		t.forbid("with recovery = false", "recovery_command")
		if len(a.AckCommand.Argv) == 0 {
			t.forbid("with recovery = false and no ack_command", "unpaired")
		}
	}
	if len(a.StartupCommand.Argv) == 0 {
		t.forbid("without startup_command", "startup_on_reload")
		a.StartupOnReload = false
	}
	if len(a.MailTo)+len(a.Webhooks)+len(a.Traps) == 0 && !a.Runs() && t.ok("mail_to", "webhooks", "traps", "command", "recovery_command") {
		t.warnf("", "it has no receiver of its own: its alerts are in the journal, and go to webhooks, pipes and mail with events = [\"alert\"]")
	}
}

// Runs reports whether the alert runs a program.
func (a *Alert) Runs() bool {
	return len(a.Command.Argv)+len(a.RecoveryCommand.Argv)+len(a.StartupCommand.Argv)+len(a.AckCommand.Argv) > 0
}

// checkPace checks the keys of the paces.
func (a *Alert) checkPace(t *table) {
	if a.Pace != "check" {
		t.forbid(`without pace = "check"`, "change", "strict", "unpaired", "exit", "other_exit", "ack_ends")
		a.Change, a.Strict, a.Unpaired, a.Exit, a.OtherExit, a.AckEnds = "none", false, false, nil, nil, "recovery"
	}
	if a.Pace == "clock" {
		if a.Every == 0 {
			forbidUnless(t, "without every", map[string]bool{"limit": a.Limit == 0})
		}
		return
	}
	with := fmt.Sprintf("with pace = %q", a.Pace)
	t.forbid(with, "gather")
	a.Gather = 0
	if t.ok("events") && !slices.Equal(a.Events, []string{"service"}) {
		t.failf("events", `must be ["service"] %s, which is about the monitors of services`, with)
	}
	if a.Pace == "run" {
		t.forbid(with, "unless", "period", "follow", "after", "within", "hold", "every", "limit", "recovery", "mail_to", "webhooks", "traps", "ack_command")
		return
	}
	if len(a.Exit) == 0 {
		forbidUnless(t, "without exit", map[string]bool{"other_exit": len(a.OtherExit) == 0})
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
