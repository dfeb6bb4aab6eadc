package convert

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"holdfast/conf"
)

// A Draft is a configuration in tables of TOML. Every table and every key has the
// position of the directive that it came from.
type Draft struct {
	// Read returns the content of a file of this host, such as the key of a certificate
	// that the old program used; nil: there is none.
	Read func(path string) ([]byte, error)

	head    []string // comments at the top of the file
	tables  []*Table
	secrets Secrets
}

// Head adds lines of comment at the top of the file.
func (d *Draft) Head(lines ...string) { d.head = append(d.head, lines...) }

// A Table is one table of a Draft.
type Table struct {
	header   string // "vrrp.garp"
	array    bool   // [[header]]
	at       Position
	comments []string
	keys     []*entry
	subs     []*Table
	raw      string // text of Draft.Add, instead of all of the above
	gone     bool   // holdfast refuses it
}

// An entry is one key of a table.
type entry struct {
	key, value string // value in TOML
	at         Position
	comments   []string
	gone       bool
}

// Add appends a block of TOML: whole tables, like [[service]] with its servers.
func (d *Draft) Add(at Position, text string) {
	d.tables = append(d.tables, &Table{at: at, raw: strings.TrimSuffix(text, "\n") + "\n"})
}

// List appends an element to an array of tables: [[header]].
func (d *Draft) List(header string, at Position) *Table {
	t := &Table{header: header, array: true, at: at}
	d.tables = append(d.tables, t)
	return t
}

// Section returns the table [header], and makes it at its first use.
func (d *Draft) Section(header string, at Position) *Table {
	for _, t := range d.tables {
		if t.header == header && !t.array {
			return t
		}
	}
	t := &Table{header: header, at: at}
	d.tables = append(d.tables, t)
	return t
}

// Sub returns the table [parent.name] inside t, and makes it at its first use.
func (t *Table) Sub(name string, at Position) *Table {
	header := t.header + "." + name
	for _, s := range t.subs {
		if s.header == header && !s.array {
			return s
		}
	}
	s := &Table{header: header, at: at}
	t.subs = append(t.subs, s)
	return s
}

// List appends an element to an array of tables inside t: [[parent.name]].
func (t *Table) List(name string, at Position) *Table {
	s := &Table{header: t.header + "." + name, array: true, at: at}
	t.subs = append(t.subs, s)
	return s
}

// Set sets a key to a string, a number, a boolean, a list or an Inline table. A key
// that is there is replaced.
func (t *Table) Set(at Position, key string, value any) {
	e := &entry{key: key, value: conf.Literal(value), at: at}
	for i, old := range t.keys {
		if old.key == key {
			e.comments = old.comments
			t.keys[i] = e
			return
		}
	}
	t.keys = append(t.keys, e)
}

// Has reports whether the key is set.
func (t *Table) Has(key string) bool {
	return slices.ContainsFunc(t.keys, func(e *entry) bool { return e.key == key })
}

// Comment adds lines of comment above the table, or above a key of it. A key that
// is not set, or that the final text leaves out, loses its comment to the table.
func (t *Table) Comment(key string, lines ...string) {
	for _, e := range t.keys {
		if e.key == key {
			e.comments = append(e.comments, lines...)
			return
		}
	}
	t.comments = append(t.comments, lines...)
}

// draftName is the name of the draft in errors of package conf. No configuration has
// such a name in it.
const draftName = "\x00draft"

// draftLine is a line of the draft in a message: "is also at draft:15".
var draftLine = regexp.MustCompile(draftName + `:(\d+)`)

// maxRounds bounds how often Finish tries again without what holdfast refuses.
const maxRounds = 40

// Finish loads the draft. What holdfast refuses is left out and reported: a key, or
// the table if it cannot do without the key. The configuration has no name for the
// director, so that the host name is the default. If nothing is left, Finish
// returns nil.
func (d *Draft) Finish(report *Report) *Result {
	for range maxRounds {
		text, owners := d.render()
		c, warnings, err := conf.ParseDraft(draftName, []byte(text), d.read)
		if err == nil {
			for _, w := range warnings {
				if w.Line > 0 && w.Line <= len(owners) {
					report.Note(owners[w.Line-1].position(), "holdfast check warns: %s", inSource(w, owners))
				}
			}
			if !strings.Contains(text, "[director]\nname = ") {
				forgetHost(c)
			}
			return &Result{Config: c, Secrets: d.secrets.list, head: d.head, comments: d.comments()}
		}
		errs, ok := errors.AsType[conf.Errors](err)
		if !ok || !refuse(errs, owners, report) {
			return nil
		}
	}
	return nil
}

// SetDirector names the director that the configuration is for.
func (r *Result) SetDirector(name string) {
	c := r.Config
	if c.Notify.Mail.Server != "" && c.Notify.Mail.Helo == "" {
		c.Notify.Mail.Helo = name
	}
	c.Director.Name = name
}

// forgetHost clears what loading took from the name of this host.
func forgetHost(c *conf.Config) {
	if c.Notify.Mail.Helo == c.Director.Name {
		c.Notify.Mail.Helo = ""
	}
	c.Director.Name = ""
}

// read returns the content of a file that the configuration names: a secret of the draft,
// or a file that is there already.
func (d *Draft) read(path string) ([]byte, error) {
	content, err := d.secrets.read(path)
	if err != nil && d.Read != nil {
		return d.Read(path)
	}
	return content, err
}

// An owner is what a line of the rendered draft came from.
type owner struct {
	table *Table
	entry *entry // nil: the table itself
}

// position is where the directive stands that the line came from.
func (o owner) position() Position {
	if o.entry != nil {
		return o.entry.at
	}
	return o.table.at
}

// render returns the text of the draft, with the owner of each line.
func (d *Draft) render() (string, []owner) {
	var b strings.Builder
	var owners []owner
	line := func(o owner, text string) {
		b.WriteString(text)
		for range strings.Count(text, "\n") {
			owners = append(owners, o)
		}
	}
	var walk func(t *Table)
	walk = func(t *Table) {
		switch {
		case t.gone:
			return
		case t.raw != "":
			line(owner{table: t}, t.raw)
			return
		case t.array:
			line(owner{table: t}, "[["+t.header+"]]\n")
		default:
			line(owner{table: t}, "["+t.header+"]\n")
		}
		for _, e := range t.keys {
			if !e.gone {
				line(owner{t, e}, e.key+" = "+e.value+"\n")
			}
		}
		for _, s := range t.subs {
			walk(s)
		}
	}
	for _, t := range d.tables {
		walk(t)
	}
	return b.String(), owners
}

// refuse removes what the errors are about, and reports them. It returns false if
// no error is about anything in particular.
func refuse(errs conf.Errors, owners []owner, report *Report) bool {
	found := false
	said := make(map[owner]bool)
	for _, e := range errs {
		if e.File != draftName || e.Line < 1 || e.Line > len(owners) {
			continue
		}
		o := owners[e.Line-1]
		found = true
		if said[o] {
			continue
		}
		said[o] = true
		message := inSource(e, owners)
		if table, key, ok := o.table.refused(e.Key); ok && o.entry == nil {
			message = table + " needs the key " + key + ", which was refused"
		}
		at := o.table.at
		if o.entry != nil && !o.table.identity(o.entry) {
			o.entry.gone = true
			at = o.entry.at
		} else {
			o.table.gone = true
		}
		report.Person(at, "holdfast refuses it: %s", message)
	}
	return found
}

// inSource returns key and message of an error. Lines of the draft, which nobody sees,
// become the lines of the source that they came from.
func inSource(e conf.Error, owners []owner) string {
	message := draftLine.ReplaceAllStringFunc(e.Message, func(at string) string {
		n, err := strconv.Atoi(strings.TrimPrefix(at, draftName+":"))
		if err != nil || n < 1 || n > len(owners) {
			return "another place"
		}
		return owners[n-1].position().String()
	})
	return strings.TrimPrefix(e.Key+": "+message, ": ")
}

// refused splits the path of a key that an earlier round took out of the table.
func (t *Table) refused(path string) (table, key string, ok bool) {
	for _, e := range t.keys {
		if table, ok = strings.CutSuffix(path, "."+e.key); ok && e.gone {
			return table, e.key, true
		}
	}
	return "", "", false
}

// identity reports whether the table makes no sense without the key.
func (t *Table) identity(e *entry) bool { return t.array && len(t.keys) > 0 && t.keys[0] == e }

// An Inline is a table on one line, in the order of its keys.
type Inline = conf.InlineTable

// A Pair is a key of an Inline with its value.
type Pair = conf.Pair
