package mon

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/conf/convert"
)

var exitText = convert.Pattern(`(?i)^exit\s*=\s*(\d+(?:-\d+)?)\s`)

// alerts writes an [[alert]] for each program of each period of a service, and one for
// redistribute.
func (c *converter) alerts(s *service) {
	var named []*convert.Table
	for _, p := range s.periods {
		named = append(named, c.periodAlerts(s, p)...)
	}
	if v, ok := s.has("redistribute"); ok {
		named = append(named, c.redistribute(s, v)...)
	}
	for i, t := range named {
		name := s.title()
		if len(named) > 1 {
			name = fmt.Sprintf("%s-%d", name, i+1)
		}
		t.Set(s.at, "name", name)
	}
}

// A call is a program of an alert.
type call struct {
	at   convert.Position
	argv []string // nil: there is none
	exit string   // "": every exit status
}

// A quartet is what one [[alert]] runs.
type quartet struct{ down, up, startup, ack call }

// periodAlerts writes the alerts of one period.
func (c *converter) periodAlerts(s *service, p *period) []*convert.Table {
	_, unpaired := p.values["no_comp_alerts"]
	downs, ups := c.programs(p.programs["alert"]), c.programs(p.programs["upalert"])
	starts, acks := c.programs(p.programs["startupalert"]), c.programs(p.programs["ackalert"])
	if c.alertsNever(s) {
		downs, acks = nil, nil
	}
	if len(downs)+len(starts) == 0 && len(ups)+len(acks) > 0 && !unpaired {
		c.report.Note(slices.Concat(ups, acks)[0].at, "without an alert in the period mon never calls this upalert or ackalert")
		return nil
	}
	var all []*convert.Table
	for i := range max(len(downs), len(ups), len(starts), len(acks)) {
		run := quartet{at(downs, i), at(ups, i), at(starts, i), at(acks, i)}
		t := c.alert(s, p, run, unpaired)
		c.exits(p, t, downs, i)
		all = append(all, t)
	}
	return all
}

// at returns the element number i, if there is one.
func at(all []call, i int) call {
	if i < len(all) {
		return all[i]
	}
	return call{}
}

// alert writes one [[alert]]. Its name follows.
func (c *converter) alert(s *service, p *period, run quartet, unpaired bool) *convert.Table {
	at := p.at
	if alerts := p.programs["alert"]; len(alerts) > 0 {
		at = alerts[0].at
	}
	t := c.draft.List("alert", at)
	t.Set(s.at, "name", s.title())
	t.Set(at, "events", []string{"service"})
	t.Set(at, "subjects", []string{s.title()})
	t.Set(at, "pace", "check")
	if when, _, _ := c.quietWhen(s, "a"); len(when) > 0 && c.evaluates(s) {
		t.Set(s.values["depend"].at, "unless", conditions(when))
	}
	if p.when != "" {
		t.Set(p.at, "period", p.when)
	}
	c.throttle(s, p, t)
	c.unack(s, t)
	switch {
	case run.up.argv == nil:
		t.Set(at, "recovery", false)
	case !slices.Equal(run.up.argv, run.down.argv):
		t.Set(run.up.at, "recovery_command", run.up.argv)
	}
	if unpaired && (run.up.argv != nil || run.ack.argv != nil) {
		t.Set(p.values["no_comp_alerts"].at, "unpaired", true)
	}
	for _, other := range []struct {
		key string
		call
	}{{"command", run.down}, {"startup_command", run.startup}, {"ack_command", run.ack}} {
		if other.argv != nil {
			t.Set(other.at, other.key, other.argv)
		}
	}
	if run.startup.argv != nil && c.globals.startupOnReset.text != "" {
		t.Set(c.globals.startupOnReset.at, "startup_on_reload", true)
	}
	t.Set(at, "style", "mon")
	return t
}

// conditions writes lists of which one has a single name as that name.
func conditions(when [][]string) []any {
	var all []any
	for _, list := range when {
		if len(list) == 1 {
			all = append(all, list[0])
		} else {
			all = append(all, list)
		}
	}
	return all
}

// unack writes when an acknowledgement ends.
func (c *converter) unack(s *service, t *convert.Table) {
	v, ok := s.has("unack_summary")
	if !ok {
		v = c.globals.unack
	}
	switch word := strings.ToLower(v.text); {
	case v.at == convert.Position{}:
	case !strings.ContainsAny(word, "yn") && word != "0" && word != "1":
		c.broken(v.at, "unack_summary needs yes or no")
	case word == "1" || strings.Contains(word, "y"):
		t.Set(v.at, "ack_ends", "change")
	}
}

// exits writes for which exit statuses the alert number i of a period is called. What
// the others are called for counts for it too.
func (c *converter) exits(p *period, t *convert.Table, all []call, i int) {
	whole, bounded := p.values["alertexitrange"]
	within, possible := statuses(whole.text)
	switch {
	case bounded && !exitRange().MatchString(whole.text):
		c.broken(whole.at, "alertexitrange needs an exit status or a range, like 1-3")
		return
	case bounded && !possible:
		c.report.Person(whole.at, "alertexitrange: no failure has such an exit status, so mon calls no alert of this period; the result has all of them")
		bounded = false
	}
	if v, ok := p.values["alertafter"]; bounded && ok && strings.ContainsAny(v.text, "hms") {
		c.report.Note(whole.at, "alertexitrange: the time of alertafter counts from the first failure, whatever its exit status is; mon counts from the first that is in the range")
	}
	own := at(all, i)
	if own.argv == nil || own.exit == "" {
		if bounded {
			t.Set(whole.at, "exit", []string{within})
		}
		return
	}
	if bounded {
		c.report.Person(own.at, "exit= beside alertexitrange: the result has exit= only")
	}
	t.Set(own.at, "exit", []string{own.exit})
	var others []string
	for j, other := range all {
		switch {
		case j == i:
		case other.exit == "":
			others = []string{"1-255"}
		case !slices.Contains(others, other.exit) && other.exit != own.exit && !slices.Contains(others, "1-255"):
			others = append(others, other.exit)
		}
	}
	if len(others) > 0 {
		t.Set(own.at, "other_exit", others)
	}
}

// redistribute writes an [[alert]] that gets every run of the monitor.
func (c *converter) redistribute(s *service, v value) []*convert.Table {
	calls := c.programs([]value{v})
	if len(calls) == 0 {
		return nil
	}
	t := c.draft.List("alert", v.at)
	t.Set(v.at, "name", s.title())
	t.Set(v.at, "events", []string{"service"})
	t.Set(v.at, "subjects", []string{s.title()})
	t.Set(v.at, "pace", "run")
	t.Set(v.at, "command", calls[0].argv)
	t.Set(v.at, "startup_command", calls[0].argv)
	t.Set(v.at, "style", "mon")
	c.once(v.at, "redistribute: the program is not called for an acknowledgement")
	return []*convert.Table{t}
}

// throttle writes after how many failures an alert is called, and how often.
func (c *converter) throttle(s *service, p *period, t *convert.Table) {
	if v, ok := p.values["alertafter"]; ok {
		c.after(s, v, t)
	}
	if v, ok := p.values["alertevery"]; ok {
		c.every(p, v, t)
	}
	if v, ok := p.values["numalerts"]; ok {
		if n, err := strconv.Atoi(v.text); err != nil {
			c.broken(v.at, "numalerts needs a number")
		} else if n > 0 {
			t.Set(v.at, "limit", n)
		}
	}
}

// after reads "3", "5m" and "3 5m".
func (c *converter) after(s *service, v value, t *convert.Table) {
	count, within := v.text, ""
	if fields := strings.Fields(v.text); len(fields) == 2 {
		count, within = fields[0], fields[1]
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		d, ok := duration(v.text)
		if !ok || strings.HasSuffix(strings.ToLower(v.text), "d") {
			c.broken(v.at, "alertafter needs a number, a time with s, m or h, or both")
			return
		}
		t.Set(v.at, "hold", durationText(d))
		return
	}
	if n > 1 {
		t.Set(v.at, "after", n)
	}
	if within == "" {
		return
	}
	d, ok := duration(within)
	switch {
	case !ok || strings.HasSuffix(strings.ToLower(within), "d"):
		c.broken(v.at, "the time of alertafter needs s, m or h")
	case n > 1:
		if every, _ := duration(s.values["interval"].text); time.Duration(n-1)*every >= d {
			c.broken(v.at, "%d failures cannot fall into %s with this interval", n, within)
		}
		t.Set(v.at, "within", durationText(d))
	}
}

// every reads "1h", with a word behind it.
func (c *converter) every(p *period, v value, t *convert.Table) {
	fields := strings.Fields(v.text)
	if len(fields) == 0 || len(fields) > 2 {
		c.broken(v.at, "alertevery needs a time")
		return
	}
	d, ok := duration(fields[0])
	if !ok {
		c.broken(v.at, "alertevery needs a number with s, m, h or d")
		return
	}
	change := "summary"
	if len(fields) == 2 {
		switch word := strings.ToLower(fields[1]); word {
		case "strict":
			change = "none"
			if len(p.programs["upalert"]) == 0 {
				t.Set(v.at, "strict", true)
			} else {
				c.report.Note(v.at, "strict: beside an upalert the time begins anew at each recovery, because mon forgets it when it calls an upalert")
			}
		case "observe_detail":
			change = "output"
		case "ignore_summary":
			change = "none"
		default:
			if !strings.HasPrefix(word, "summary") {
				c.broken(v.at, "alertevery takes strict, observe_detail or ignore_summary after the time, and nothing else")
				return
			}
		}
	}
	t.Set(v.at, "every", durationText(d.Round(time.Second)))
	if change != "none" {
		t.Set(v.at, "change", change)
	}
}

// exitRange is what stands behind alertexitrange.
var exitRange = convert.Pattern(`^\s*\d+(\s*-\s*\d+)?\s*$`)

// statuses writes a range of exit statuses as the key exit has it. ok is false if no
// failure is in it.
func statuses(text string) (ranges string, ok bool) {
	from, to, isRange := strings.Cut(strings.ReplaceAll(text, " ", ""), "-")
	if !isRange {
		to = from
	}
	first, err1 := strconv.Atoi(from)
	last, err2 := strconv.Atoi(to)
	first, last = max(first, 1), min(last, 255)
	if err1 != nil || err2 != nil || first > last {
		return "", false
	}
	if first == last {
		return strconv.Itoa(first), true
	}
	return fmt.Sprintf("%d-%d", first, last), true
}

// programs returns the alerts of a period that mon can run.
func (c *converter) programs(list []value) []call {
	var all []call
	for _, v := range list {
		text, exit := v.text, ""
		if m := exitText().FindStringSubmatch(text); m != nil {
			text = text[len(m[0]):]
			var possible bool
			if exit, possible = statuses(m[1]); !possible {
				c.report.Note(v.at, "exit=%s is no exit status of a failure: mon never calls this alert", m[1])
				continue
			}
		}
		argv, ok := words(text)
		if !ok || len(argv) == 0 {
			c.report.Person(v.at, "a quote has no end, or there is no program: mon cannot run this alert")
			continue
		}
		argv[0] = c.program(v.at, c.globals.alerts, argv[0])
		all = append(all, call{v.at, argv, exit})
	}
	return all
}
