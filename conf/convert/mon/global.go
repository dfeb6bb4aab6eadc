package mon

import (
	"path"
	"strconv"
	"strings"

	"holdfast/conf/convert"
)

// globals are the variables at the top, with mon's defaults.
type globals struct {
	base, monitors, alerts string   // basedir, mondir, alertdir
	folders                []string // MON_STATEDIR=… and the like, of those that are given
	depBehavior            string
	excludePeriod          string
	unack, startupOnReset  value
	trapBind, trapPort     value
	recursionLimit         int
}

func newGlobals() globals {
	return globals{
		base: "/usr/lib/mon", monitors: "/usr/local/lib/mon/mon.d:mon.d", alerts: "/usr/local/lib/mon/alert.d:alert.d", depBehavior: "a", recursionLimit: 10,
	}
}

// A globalDirective is what a variable means.
type globalDirective func(c *converter, at convert.Position, name, text string)

// globalDirectives has every variable that mon knows.
var globalDirectives = map[string]globalDirective{
	"alertdir": func(c *converter, _ convert.Position, _, text string) { c.globals.alerts = text },
	"mondir":   func(c *converter, _ convert.Position, _, text string) { c.globals.monitors = text },
	"basedir":  func(c *converter, _ convert.Position, _, text string) { c.globals.base = text },
	"maxprocs": func(c *converter, at convert.Position, _, text string) {
		n, err := strconv.Atoi(text)
		switch {
		case err != nil || n < 0:
			c.report.Person(at, "maxprocs: %q is no number", text)
		case n > 0:
			c.draft.Section("director", at).Set(at, "max_check_programs", n)
		}
	},
	"cfbasedir": folder("MON_CFBASEDIR"),
	"logdir":    folder("MON_LOGDIR"),
	"statedir":  folder("MON_STATEDIR"),
	"dep_behavior": func(c *converter, at convert.Position, _, text string) {
		if text != "a" && text != "m" && text != "hm" {
			c.report.Person(at, "mon does not start: dep_behavior is a, m or hm")
			return
		}
		c.globals.depBehavior = text
	},
	"dep_memory":      globalNote("mon 1.3.6 reads it, and it has no effect there either"),
	"exclude_period":  func(c *converter, _ convert.Position, _, text string) { c.globals.excludePeriod = text },
	"unack_summary":   func(c *converter, at convert.Position, _, text string) { c.globals.unack = value{at, text} },
	"randstart":       globalNote("the first checks are spread over a second"),
	"histlength":      globalNote("\"holdfast events\" has what happened"),
	"historicfile":    globalNote("\"holdfast events\" has what happened; a [[notify.fifo]] keeps it elsewhere"),
	"historictime":    globalNote("\"holdfast events\" has what happened"),
	"dtlogging":       globalNote("\"holdfast events\" has when a service went down and came back"),
	"dtlogfile":       globalNote("\"holdfast events\" has when a service went down and came back"),
	"syslog_facility": globalNote("holdfast writes its log to standard error; under systemd that is the journal"),
	"monerrfile":      globalNote("holdfast writes its log to standard error; under systemd that is the journal"),
	"pidfile":         globalNote("systemd knows the process"),
	"dep_recur_limit": func(c *converter, at convert.Position, name, text string) {
		c.globals.recursionLimit, _ = strconv.Atoi(text) // Perl takes a text for 0 too
		c.report.Note(at, "%s: dependencies are followed when the file is converted", name)
	},
	"startupalerts_on_reset": func(c *converter, at convert.Position, _, text string) {
		// As mon's own pattern has it.
		if text = strings.ToLower(text); strings.HasPrefix(text, "1") || strings.Contains(text, "yes") || strings.Contains(text, "true") || strings.HasSuffix(text, "on") {
			c.globals.startupOnReset = value{at, "yes"}
		}
	},
	"authfile":    globalNote("the control socket belongs to root and to write_group of [director.socket]"),
	"authtype":    globalNote("the control socket belongs to root and to write_group of [director.socket]"),
	"userfile":    globalNote("the control socket belongs to root and to write_group of [director.socket]"),
	"pamservice":  globalNote("the control socket belongs to root and to write_group of [director.socket]"),
	"serverbind":  globalNote("holdfast listens on a socket of this host; [[listen]] is for others"),
	"serverport":  globalNote("holdfast listens on a socket of this host; [[listen]] is for others"),
	"clientallow": globalNote("holdfast listens on a socket of this host; [[listen]] is for others"),
	"cltimeout":   globalNote("it is for mon's clients"),
	"trapbind":    func(c *converter, at convert.Position, _, text string) { c.globals.trapBind = value{at, text} },
	"trapport": func(c *converter, at convert.Position, _, text string) {
		if !port(text) {
			c.report.Person(at, "trapport: %q is no port", text)
			return
		}
		c.globals.trapPort = value{at, text}
	},
	"monremote": globalNote("mon calls it for what its clients disable, enable and test, to do the same in another mon; \"holdfast ack\", drain and enable are for one director: call them on the other one too, by ssh or by its API ([[listen]] with serve = [\"api\"])"),
}

func globalNote(text string) globalDirective {
	return func(c *converter, at convert.Position, name, _ string) { c.report.Note(at, "%s: %s", name, text) }
}

// folder notes a folder for the environment of monitors and alerts.
func folder(variable string) globalDirective {
	return func(c *converter, _ convert.Position, _, text string) {
		c.globals.folders = append(c.globals.folders, variable+"="+c.below(text))
	}
}

// below returns a path, which mon takes as relative to basedir.
func (c *converter) below(text string) string {
	if path.IsAbs(text) {
		return text
	}
	return path.Join(c.globals.base, text)
}

// global reads a variable.
func (c *converter) global(at convert.Position, name, text string) {
	read := globalDirectives[name]
	if read == nil {
		c.report.Person(at, "mon does not start: it has no such variable")
		return
	}
	read(c, at, name, strings.TrimSpace(text))
}
