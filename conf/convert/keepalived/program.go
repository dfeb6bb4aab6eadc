package keepalived

import (
	"strings"

	"holdfast/conf/convert"
)

// A program is what keepalived runs.
type program struct {
	at          convert.Position
	argv        []string
	user, group string
}

// program reads a line: word "PATH ARGUMENTS" [USER [GROUP]]. It returns nil for a
// program that keepalived does not run.
func (c *converter) program(d *directive) *program {
	words, ok := commandWords(d.text)
	if !ok || len(words) < 2 {
		c.report.Person(d.at, "%s: there is no program, or a quote is not closed: keepalived runs nothing", d.name())
		return nil
	}
	argv, ok := commandWords(words[1])
	if !ok || len(argv) == 0 {
		c.report.Person(d.at, "%s: a quote is not closed: keepalived runs nothing", d.name())
		return nil
	}
	p := &program{at: d.at, argv: argv}
	if len(words) > 2 {
		p.user = words[2]
	}
	if len(words) > 3 {
		p.group = words[3]
	}
	if strings.HasPrefix(p.user, "-") || strings.HasPrefix(p.user, "/") || len(words) > 4 {
		c.report.Person(d.at, "%s: without quotes, keepalived takes %q for the user of the program and does not run it: write %q in holdfast if you mean arguments",
			d.name(), p.user, strings.Join(words[1:], " "))
		return nil
	}
	return c.absolute(p, d)
}

// absolute makes the path of a program absolute. keepalived looks for a bare name in
// PATH.
func (c *converter) absolute(p *program, d *directive) *program {
	if strings.HasPrefix(p.argv[0], "/") {
		return p
	}
	if strings.ContainsAny(p.argv[0], "/") {
		c.report.Person(d.at, "%s: %q is no absolute path: keepalived does not find it", d.name(), p.argv[0])
		return nil
	}
	c.report.Note(d.at, "%s: keepalived finds %s in its PATH; holdfast needs a path, so env runs it", d.name(), p.argv[0])
	p.argv = append([]string{"/usr/bin/env"}, p.argv...)
	return p
}

// value returns the program for a key. With plain it gets no arguments of an event.
func (p *program) value(plain bool) any {
	if p.user == "" && p.group == "" && !plain {
		return p.argv
	}
	v := convert.Inline{{Key: "command", Value: p.argv}}
	if p.user != "" {
		v = append(v, convert.Pair{Key: "user", Value: p.user})
	}
	if p.group != "" {
		v = append(v, convert.Pair{Key: "group", Value: p.group})
	}
	if plain {
		v = append(v, convert.Pair{Key: "arguments", Value: false})
	}
	return v
}

// notifyKeys are the keys of holdfast for the programs of keepalived that get no
// further arguments. notify itself gets four.
var notifyKeys = []struct{ word, key string }{
	{"notify_master", "master"}, {"notify_backup", "backup"}, {"notify_fault", "fault"}, {"notify_stop", "stop"},
	{"notify_deleted", "deleted"}, {"notify_master_rx_lower_pri", "rival"}, {"notify", "any"},
}

// draftPrograms sets the notification programs of an instance or group.
func (c *converter) draftPrograms(t *convert.Table, body []*directive) {
	for _, k := range notifyKeys {
		d := last(body, k.word)
		if d == nil || k.word == "notify_deleted" && d.arg(1) == "" {
			continue
		}
		p := c.program(d)
		if p == nil {
			continue
		}
		notify := t.Sub("notify", d.at)
		notify.Set(d.at, k.key, p.value(k.word != "notify"))
		notify.Comment(k.key, d.comments...)
		c.scripts = append(c.scripts, p)
	}
}
