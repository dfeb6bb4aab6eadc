package mon

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/conf/convert"
)

var exitText = convert.Pattern(`(?i)^exit\s*=\s*\S+\s`)

// alerts writes an [[alert]] for each program of each period of a service.
func (c *converter) alerts(s *service) {
	var named []*convert.Table
	for _, p := range s.periods {
		named = append(named, c.periodAlerts(s, p)...)
	}
	for i, t := range named {
		name := s.title()
		if len(named) > 1 {
			name = fmt.Sprintf("%s-%d", name, i+1)
		}
		t.Set(s.at, "name", name)
	}
	if len(named) > 0 {
		if v, ok := s.has("unack_summary"); ok && yes(v.text) {
			c.report.Person(v.at, "unack_summary: \"holdfast ack\" holds until the failure is over, also if the summary changes")
		} else if v := c.globals.unack; !ok && v.at != (convert.Position{}) && yes(v.text) {
			c.globals.unack = value{}
			c.report.Person(v.at, "unack_summary: \"holdfast ack\" holds until the failure is over, also if the summary changes")
		}
	}
}

// A pair is what one [[alert]] runs: for failures and for recoveries; nil: nothing.
type pair struct{ down, up []string }

// periodAlerts writes the alerts of one period.
func (c *converter) periodAlerts(s *service, p *period) []*convert.Table {
	_, unpaired := p.values["no_comp_alerts"]
	downs, ups := c.programs(p.alerts), c.programs(p.upalerts)
	if len(downs) == 0 && len(ups) > 0 && !unpaired {
		c.report.Note(p.upalerts[0].at, "without an alert in the period mon never calls this upalert")
		return nil
	}
	var all []*convert.Table
	for i := range max(len(downs), len(ups)) {
		var run pair
		if i < len(downs) {
			run.down = downs[i]
		}
		if i < len(ups) {
			run.up = ups[i]
		}
		all = append(all, c.alert(s, p, run, unpaired))
	}
	return all
}

// alert writes one [[alert]]. Its name follows.
func (c *converter) alert(s *service, p *period, run pair, unpaired bool) *convert.Table {
	at := p.at
	if len(p.alerts) > 0 {
		at = p.alerts[0].at
	}
	t := c.draft.List("alert", at)
	t.Set(s.at, "name", s.title())
	t.Set(at, "events", []string{"service"})
	t.Set(at, "subjects", []string{s.title()})
	if by := c.silencers(s); len(by) > 0 {
		d, _ := c.dependsFor(s, "a")
		t.Set(d.at, "unless", by)
	}
	if p.when != "" {
		t.Set(p.at, "period", p.when)
	}
	t.Set(at, "pace", "check")
	c.throttle(s, p, t)
	switch {
	case run.up == nil:
		t.Set(at, "recovery", false)
	case !slices.Equal(run.up, run.down):
		t.Set(p.upalerts[0].at, "recovery_command", run.up)
	}
	if unpaired && run.up != nil {
		t.Set(p.values["no_comp_alerts"].at, "unpaired", true)
	}
	if run.down != nil {
		t.Set(at, "command", run.down)
	}
	t.Set(at, "style", "mon")
	return t
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
			if len(p.upalerts) == 0 {
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

// programs returns the alerts of a period that mon can run.
func (c *converter) programs(list []value) [][]string {
	var all [][]string
	for _, v := range list {
		text := v.text
		if exit := exitText().FindString(text); exit != "" {
			text = text[len(exit):]
			c.report.Person(v.at, "exit=: the exit status of a monitor chooses no alert; this one is called for every failure, and can look at MON_RETVAL")
		}
		argv, ok := words(text)
		if !ok || len(argv) == 0 {
			c.report.Person(v.at, "a quote has no end, or there is no program: mon cannot run this alert")
			continue
		}
		argv[0] = c.program(v.at, c.globals.alerts, argv[0])
		all = append(all, argv)
	}
	return all
}
