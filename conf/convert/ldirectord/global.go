package ldirectord

import (
	"strconv"
	"strings"

	"holdfast/conf/convert"
)

// globals are the directives at the top of the file, with the defaults of the
// program, which are not all those of its manual.
type globals struct {
	interval, failures, count int
	check, negotiate          int // timeouts in seconds; -1: not given
	quiescent, keep           bool
	fallback                  map[bool]*fallback // by whether it is for IPv6
	fallbackCommand           string
	maintenance               string
	mail                      mailSettings
	at                        map[string]convert.Position // of each directive
}

func newGlobals() *globals {
	return &globals{
		interval: 10, failures: 1, count: 1, check: -1, negotiate: -1,
		fallback: map[bool]*fallback{}, at: map[string]convert.Position{},
	}
}

// globalDirectives is what each directive at the top means.
var globalDirectives = map[string]func(c *converter, g *globals, l line, value string){
	"checktimeout":     seconds(func(g *globals) *int { return &g.check }),
	"negotiatetimeout": seconds(func(g *globals) *int { return &g.negotiate }),
	"checkinterval":    seconds(func(g *globals) *int { return &g.interval }),
	"failurecount":     seconds(func(g *globals) *int { return &g.failures }),
	"checkcount":       seconds(func(g *globals) *int { return &g.count }),
	"quiescent": func(c *converter, g *globals, l line, value string) {
		g.quiescent = c.yes(l, "quiescent", value)
	},
	"cleanstop": func(c *converter, g *globals, l line, value string) {
		g.keep = !c.yes(l, "cleanstop", value)
	},
	"fallback":  globalFallback(false),
	"fallback6": globalFallback(true),
	"fallbackcommand": func(_ *converter, g *globals, _ line, value string) {
		g.fallbackCommand = value
	},
	"maintenancedir": func(_ *converter, g *globals, _ line, value string) { g.maintenance = value },
	"emailalert":     func(_ *converter, g *globals, _ line, value string) { g.mail.to = unquoted(value) },
	"emailalertfreq": func(c *converter, g *globals, l line, value string) {
		g.mail.every = c.count(l, "emailalertfreq", value)
	},
	"emailalertfrom":   func(_ *converter, g *globals, _ line, value string) { g.mail.from = value },
	"emailalertstatus": func(_ *converter, g *globals, _ line, value string) { g.mail.states = value },
	"smtp":             func(_ *converter, g *globals, _ line, value string) { g.mail.server = value },
	"autoreload": func(c *converter, _ *globals, l line, value string) {
		if c.yes(l, "autoreload", value) {
			c.report.Note(l.at, "holdfast reads a changed file when it is told to: holdfast reload. Nothing changes if the file has an error")
		}
	},
	"fork": func(c *converter, _ *globals, l line, value string) {
		c.yes(l, "fork", value)
		c.report.Note(l.at, "holdfast checks all servers at the same time, in one process")
	},
	"readdquiescent": func(c *converter, _ *globals, l line, value string) {
		if !c.yes(l, "readdquiescent", value) {
			return
		}
		c.report.Note(l.at, "holdfast never gives a server weight before its first good check")
	},
	"logfile": func(c *converter, _ *globals, l line, _ string) {
		c.report.Note(l.at, "holdfast writes its log to standard error; under systemd that is the journal")
	},
	"callback": func(c *converter, _ *globals, l line, value string) {
		c.report.Person(l.at, "callback: nothing runs %s when the file changes; run it after holdfast reload, or see the events of kind config", value)
	},
	"execute": func(c *converter, _ *globals, l line, value string) {
		c.report.Person(l.at, "execute: ldirectord ran another one of itself with %s; convert that file too and put both in one, or include it", value)
	},
	"supervised": func(c *converter, _ *globals, l line, _ string) {
		c.report.Note(l.at, "holdfast run stays in the foreground")
	},
}

func seconds(field func(*globals) *int) func(*converter, *globals, line, string) {
	return func(c *converter, g *globals, l line, value string) {
		if n := c.count(l, "", value); n > 0 {
			*field(g) = n
		}
	}
}

func globalFallback(ipv6 bool) func(*converter, *globals, line, string) {
	return func(c *converter, g *globals, l line, value string) {
		if f := c.parseFallback(l, value, ipv6); f != nil {
			g.fallback[ipv6] = f
		}
	}
}

// global reads a line at the top.
func (c *converter) global(g *globals, l line) {
	if l.text[0] == ' ' || l.text[0] == '\t' {
		refused(c.report, l.at, "it is indented, but belongs to no virtual service: only an indentation of a tab or four blanks continues one, and an empty line ends it")
		return
	}
	keyword, value, ok := split(l.text)
	if !ok && strings.HasPrefix(l.text, "supervised") {
		keyword = "supervised"
	}
	read := globalDirectives[keyword]
	switch {
	case keyword == "timeout" || keyword == "connecttimeout":
		refused(c.report, l.at, "%s is now checktimeout and negotiatetimeout", keyword)
	case read == nil:
		refused(c.report, l.at, "it does not know %q", keyOf(l.text))
	default:
		g.at[keyword] = l.at
		read(c, g, l, value)
	}
}

// yes reads yes or no. ldirectord compares the whole value.
func (c *converter) yes(l line, keyword, value string) bool {
	if value != "yes" && value != "no" {
		refused(c.report, l.at, "%s must be yes or no, without anything behind it", keyword)
		return strings.HasPrefix(value, "yes")
	}
	return value == "yes"
}

// count reads a number above 0; it returns 0 and reports it if there is none.
func (c *converter) count(l line, keyword, value string) int {
	text, ok := number(value)
	n, err := strconv.Atoi(text)
	if !ok || err != nil || n == 0 && keyword != "emailalertfreq" {
		refused(c.report, l.at, "%q is not a number above 0", value)
		return 0
	}
	if text != strings.TrimSpace(value) {
		c.report.Note(l.at, "ldirectord reads the number %d and ignores the rest of %q", n, value)
	}
	return n
}

func unquoted(value string) string {
	if s, ok := quoted(value); ok {
		return s
	}
	return value
}
