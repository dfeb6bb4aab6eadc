package convert

import (
	"strings"

	"holdfast/conf"
)

// A Result is what a conversion yields.
type Result struct {
	Config *conf.Config
	// Secrets are the files that the configuration reads secrets from. They do not
	// exist yet.
	Secrets  []Secret
	head     []string
	comments map[place][]string
}

// A place is a table of the final text, or a key in it.
type place struct {
	table string // header and first key, see tableID
	key   string // "": the table
}

// tableID names a table: its header, and the line of its first key. Tables without
// an identity of their own belong to the table around them.
func tableID(parent, header, first string) string { return parent + "\n" + header + "\n" + first }

// comments returns all comments of the draft.
func (d *Draft) comments() map[place][]string {
	all := make(map[place][]string)
	var walk func(parent string, t *Table)
	walk = func(parent string, t *Table) {
		if t.gone || t.raw != "" {
			return
		}
		id := tableID(parent, t.header, "")
		if t.array && len(t.keys) > 0 {
			id = tableID(parent, t.header, t.keys[0].key+" = "+t.keys[0].value)
		}
		add := func(key string, lines []string) {
			if len(lines) > 0 {
				p := place{id, key}
				all[p] = append(all[p], lines...)
			}
		}
		add("", t.comments)
		for _, e := range t.keys {
			add(e.key, e.comments)
		}
		for _, s := range t.subs {
			walk(id, s)
		}
	}
	for _, t := range d.tables {
		walk("", t)
	}
	return all
}

// TOML returns the configuration as a file without the keys that have their
// defaults, with the comments of the old file beside what they were about.
func (r *Result) TOML() string {
	w := writer{comments: r.comments}
	if len(r.head) > 0 {
		w.write(r.head)
		w.out.WriteByte('\n')
	}
	lines := strings.Split(string(conf.ShowBrief(r.Config)), "\n")
	for i, line := range lines {
		next := ""
		if i+1 < len(lines) {
			next = lines[i+1]
		}
		w.line(line, next)
	}
	return strings.TrimSuffix(w.out.String(), "\n")
}

// A writer copies lines of TOML and puts comments above them.
type writer struct {
	comments map[place][]string
	out      strings.Builder
	ids      []string // of the open array tables, by depth
	headers  []string // their headers
	id       string   // of the table that the line is in
}

func (w *writer) line(line, next string) {
	switch {
	case strings.HasPrefix(line, "[["):
		header := strings.Trim(line, "[]")
		w.id = tableID(w.enter(header), header, next)
		w.headers, w.ids = append(w.headers, header), append(w.ids, w.id)
		w.put(place{w.id, ""})
	case strings.HasPrefix(line, "["):
		header := strings.Trim(line, "[]")
		w.id = tableID(w.enter(header), header, "")
		w.put(place{w.id, ""})
	default:
		key, _, isKey := strings.Cut(line, " = ")
		if isKey {
			w.put(place{w.id, key})
		}
	}
	w.out.WriteString(wrap(line) + "\n")
}

// maxWidth is how long a line with a list may be.
const maxWidth = 120

// wrap breaks a line "key = [...]" that is too long into lines of elements.
func wrap(line string) string {
	key, list, ok := strings.Cut(line, " = [")
	if len(line) <= maxWidth || !ok || !strings.HasSuffix(list, "]") || strings.HasPrefix(line, "[") {
		return line
	}
	var b strings.Builder
	b.WriteString(key + " = [")
	width := maxWidth
	for _, item := range elements(strings.TrimSuffix(list, "]")) {
		if width += len(item) + len(", "); width > maxWidth {
			b.WriteString("\n    ")
			width = len(item) + len("    ,")
		} else {
			b.WriteByte(' ')
		}
		b.WriteString(item + ",")
	}
	return b.String() + "\n]"
}

// elements splits the inside of a list at its commas.
func elements(list string) []string {
	var items []string
	depth, quoted, from := 0, false, 0
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ',' && depth == 0:
			items = append(items, strings.TrimSpace(list[from:i]))
			from = i + 1
		}
	}
	return append(items, strings.TrimSpace(list[from:]))
}

// enter closes the array tables that header is not inside of, and returns the id
// of the innermost that is left.
func (w *writer) enter(header string) string {
	for len(w.headers) > 0 && !strings.HasPrefix(header, w.headers[len(w.headers)-1]+".") {
		w.headers, w.ids = w.headers[:len(w.headers)-1], w.ids[:len(w.ids)-1]
	}
	if len(w.ids) == 0 {
		return ""
	}
	return w.ids[len(w.ids)-1]
}

// put writes the comments of a place.
func (w *writer) put(p place) { w.write(w.comments[p]) }

// written replaces what a comment of TOML must not have.
func written(r rune) rune {
	if r < ' ' && r != '\t' || r == 0x7f {
		return '\uFFFD'
	}
	return r
}

func (w *writer) write(comments []string) {
	for _, text := range comments {
		w.out.WriteString(strings.TrimRight("# "+strings.Map(written, strings.ToValidUTF8(text, "\uFFFD")), " ") + "\n")
	}
}
