package mon

import (
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
		"unack_summary": keep, "redistribute": keep, "traptimeout": keep, "trapduration": keep,
		"dep_memory": said("mon 1.3.6 reads it, and it has no effect there either"),
		"randskew":   said("checks of holdfast keep their pace, and begin spread over a second"),
	}
	periodDirectives = map[string]directive{
		"alert": program, "upalert": program, "startupalert": program, "ackalert": program,
		"disablealert": said("mon 1.3.6 calls no such alert: when it would, the service is disabled already"),
		"alertevery":   keepInPeriod, "alertafter": keepInPeriod, "numalerts": keepInPeriod, "no_comp_alerts": keepInPeriod,
		"alertexitrange": keepInPeriod,
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

// program keeps an alert of the open period. There can be several of a kind.
func program(r *reader, at convert.Position, name, text string) {
	r.period.programs[name] = append(r.period.programs[name], value{at, text})
}

func said(text string) directive {
	return func(r *reader, at convert.Position, name, _ string) { r.report.Note(at, "%s: %s", name, text) }
}

func saidInPeriod(text string) directive { return said(text) }

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
