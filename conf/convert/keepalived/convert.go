package keepalived

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"holdfast/conf/convert"
)

// Convert converts the files together, as if the first one included the others at
// its end. It returns nil if they leave nothing to configure.
func Convert(in convert.Input, report *convert.Report) *convert.Result {
	r := &reader{in: in, report: report, id: configID(in), defs: map[string]*definition{}}
	for _, f := range in.Files {
		r.read(f)
	}
	if r.prefixes && in.Director == "" {
		report.Add(convert.Finding{Message: fmt.Sprintf("lines that begin with @ were read for %q, the name of this host: give --director for another director", r.id)})
	}
	p := &parser{lines: r.out, report: report}
	c := &converter{
		in: in, report: report, draft: &convert.Draft{Read: in.Read}, top: p.parse(), names: map[string]map[string]string{},
		inGroup: map[string]*syncGroup{}, instances: map[string]*instance{}, garpPace: map[string]*pace{},
		bfds: map[string]string{}, checkedFiles: map[string]bool{},
	}
	c.draft.Head(r.head...)
	c.convert()
	return c.draft.Finish(report)
}

// configID is the configuration id of keepalived: that of its option -i, or the host
// name up to the first dot.
func configID(in convert.Input) string {
	if in.Director != "" {
		return in.Director
	}
	host, _, _ := strings.Cut(in.Host, ".")
	return host
}

// A converter turns the directives into a draft.
type converter struct {
	in     convert.Input
	report *convert.Report
	draft  *convert.Draft
	top    []*directive

	global    globals
	names     map[string]map[string]string // see name
	trackers  trackers
	groups    []*syncGroup
	inGroup   map[string]*syncGroup // by the instance's name in keepalived
	instances map[string]*instance  // by the name in keepalived
	order     []*instance
	garpPace  map[string]*pace // by interface
	linkDelay map[string]*directive
	mail      mailNeeds
	tls       *directive        // SSL
	bfds      map[string]string // the names of sessions in holdfast
	// checkedFiles are the files that FILE_CHECK uses.
	checkedFiles map[string]bool
	scripts      []*program // that are run, for a remark about their user
}

func (c *converter) convert() {
	c.remarks(c.top)
	c.readGlobals()
	c.readPaces()
	c.readTrackers()
	c.readGroups()
	for _, d := range c.named("vrrp_instance") {
		c.readInstance(d)
	}
	c.draftGlobals()
	for _, in := range c.order {
		c.draftInstance(in)
	}
	c.draftGroups()
	c.draftServices()
	c.draftTrackers()
	c.draftNotify()
	c.leftovers(c.top)
}

// named returns the directives of the top level with a name.
func (c *converter) named(names ...string) []*directive { return all(c.top, names...) }

// all returns the directives of a block with one of the names, and counts them as
// read.
func all(body []*directive, names ...string) []*directive {
	var list []*directive
	for _, d := range body {
		if d.word != nil && slices.Contains(names, d.word.name) {
			d.used = true
			list = append(list, d)
		}
	}
	return list
}

// last returns the last directive of a block with one of the names, which is the one
// that keepalived takes, or nil.
func last(body []*directive, names ...string) *directive {
	list := all(body, names...)
	if len(list) == 0 {
		return nil
	}
	return list[len(list)-1]
}

// remarks reports the words that were not translated by their nature.
func (c *converter) remarks(body []*directive) {
	for _, d := range body {
		if d.word == nil {
			continue
		}
		switch d.word.fate {
		case needless:
			c.report.Note(d.at, "%s: %s", d.name(), d.word.text)
		case byHand:
			d.used = true
			if len(d.body) == 0 || d.word.shape != values {
				c.report.Person(d.at, "%s: %s", d.name(), d.word.text)
			}
			for _, line := range d.body {
				if d.word.shape == values {
					c.report.Person(line.at, "%s %s: %s", d.name(), line.text, advice(d.name(), line, d.word.text))
				}
			}
			continue
		}
		if d.word.shape == block {
			c.remarks(d.body)
		}
	}
}

// leftovers reports words that no part of the converter has read.
func (c *converter) leftovers(body []*directive) {
	for _, d := range body {
		if d.word == nil || d.word.fate != translated {
			continue
		}
		if !d.used && d.word.name != "global_defs" {
			c.report.Person(d.at, "%s: keepalived ignores it here", d.name())
			continue
		}
		if d.word.shape == block {
			c.leftovers(d.body)
		}
	}
}

// skip counts everything in a block as read, because one finding covers it.
func skip(body []*directive) {
	for _, d := range body {
		d.used = true
		skip(d.body)
	}
}

// name returns a name that holdfast accepts for a name of keepalived, unique among
// the names of a kind. at is where a changed name is reported.
func (c *converter) name(kind, old string, at convert.Position) string {
	taken := c.names[kind]
	if taken == nil {
		taken = map[string]string{}
		c.names[kind] = taken
	}
	base := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.:[]@", r) {
			return r
		}
		return '-'
	}, strings.ToValidUTF8(old, "-"))
	base = strings.TrimLeft(base, "-")
	for len(base) > 60 {
		base = base[:len(base)-1]
	}
	base = strings.ToValidUTF8(base, "")
	if base == "" {
		base = "unnamed"
	}
	name := base
	for n := 2; ; n++ {
		if _, used := taken[name]; !used {
			break
		}
		name = fmt.Sprintf("%s-%d", base, n)
	}
	taken[name] = old
	if name != old {
		c.report.Note(at, "%q is called %q: names of holdfast are unique and have letters, digits and -_.:[]@", old, name)
	}
	return name
}
