package mon

import (
	"strings"

	"holdfast/conf/convert"
)

// A directive is what a line of a service or a period means. Most only keep their
// value, for convert.go and alert.go.
type directive func(r *reader, at convert.Position, name, text string)

// serviceDirectives has every directive of a service that mon knows, but service and
// period, which begin something.
var serviceDirectives map[string]directive

// periodDirectives has every directive of a period.
var periodDirectives map[string]directive

func init() {
	serviceDirectives = map[string]directive{
		"interval": keep, "failure_interval": keep, "monitor": keep, "description": keep, "exclude_hosts": keep, "exclude_period": keep,
		"allow_empty_group": keep, "depend": keep, "alertdepend": keep, "monitordepend": keep, "hostdepend": keep, "dep_behavior": keep,
		"unack_summary": keep, "traptimeout": keep, "trapduration": keep,
		"dep_memory": said("mon 1.3.6 reads it, and it has no effect there either"),
		"randskew":   said("checks of holdfast keep their pace, and begin spread over a second"),
		"redistribute": func(r *reader, at convert.Position, name, _ string) {
			r.report.Person(at, "%s: no program is called for each result; a [[notify.fifo]] or [[notify.webhook]] tells of each change", name)
		},
	}
	periodDirectives = map[string]directive{
		"alert": func(r *reader, at convert.Position, _, text string) {
			r.period.alerts = append(r.period.alerts, value{at, text})
		},
		"upalert": func(r *reader, at convert.Position, _, text string) {
			r.period.upalerts = append(r.period.upalerts, value{at, text})
		},
		"startupalert": person("no alert is called at the start; a unit of systemd with Wants=holdfast.service can do it"),
		"ackalert":     person("no alert is called for \"holdfast ack\"; the event of kind operator tells webhooks and pipes"),
		"disablealert": person("no alert is called when checks are taken out; the event of kind config tells webhooks and pipes"),
		"alertevery":   keepInPeriod, "alertafter": keepInPeriod, "numalerts": keepInPeriod, "no_comp_alerts": keepInPeriod,
		"alertexitrange": person("the exit status of a monitor chooses no alert: a program of your own can look at MON_RETVAL"),
		"upalertafter":   saidInPeriod("mon 1.3.6 reads it, and it has no effect there either"),
		// The next one is read and used nowhere.
		"alerts_dont_count": saidInPeriod("mon 1.3.6 reads it, and it has no effect there either"),
	}
}

func keep(r *reader, at convert.Position, name, text string) {
	r.service.values[name] = value{at, text}
}

func keepInPeriod(r *reader, at convert.Position, name, text string) {
	r.period.values[name] = value{at, text}
}

func said(text string) directive {
	return func(r *reader, at convert.Position, name, _ string) { r.report.Note(at, "%s: %s", name, text) }
}

func saidInPeriod(text string) directive { return said(text) }

func person(text string) directive {
	return func(r *reader, at convert.Position, name, _ string) { r.report.Person(at, "%s: %s", name, text) }
}

// inService reads a directive of the open service.
func (r *reader) inService(at convert.Position, name, text string) {
	read := serviceDirectives[name]
	switch {
	case read != nil:
		read(r, at, name, text)
	case periodDirectives[name] != nil:
		r.broken(at, "%s must stand below a period", name)
	case name == "comp_alerts":
		r.broken(at, "comp_alerts is of older versions; what it says is the default")
	default:
		r.broken(at, "it has no such directive")
	}
}

// inPeriod reads a directive of the open period.
func (r *reader) inPeriod(at convert.Position, name, text string) {
	read := periodDirectives[name]
	switch {
	case read != nil:
		read(r, at, name, text)
	case serviceDirectives[name] != nil:
		r.broken(at, "%s must stand above the periods of the service", name)
	case name == "comp_alerts":
		r.broken(at, "comp_alerts is of older versions; what it says is the default")
	default:
		r.broken(at, "it has no such directive")
	}
}

// has returns the argument of a directive; ok is false if it is not there.
func (s *service) has(name string) (v value, ok bool) {
	v, ok = s.values[name]
	return v, ok
}

// yes reads the value of unack_summary.
func yes(text string) bool {
	text = strings.ToLower(text)
	return text == "" || text == "1" || strings.Contains(text, "y")
}
