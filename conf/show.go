package conf

import (
	"bytes"
	"fmt"
	"strings"
)

// Show returns c as a TOML file with every key, also those that have defaults or
// derived values. Loading the file returns c again, unless a secret stands in c
// itself: Show writes "(not shown)" in its place.
func Show(c *Config) []byte {
	return show(*c, false)
}

// ShowBrief returns c as a TOML file without the keys that have their defaults.
// Loading it gives c again. It always names the director, because the default,
// the host name, is another one on another host; a c whose Director.Name is ""
// has the default.
func ShowBrief(c *Config) []byte {
	return show(c.withoutDerived(), true)
}

func show(c Config, brief bool) []byte {
	root := &table{out: &section{}, brief: brief}
	c.visit(root)
	var b bytes.Buffer
	root.out.print(&b, "")
	return bytes.TrimLeft(b.Bytes(), "\n")
}

// A section is one table of a file to be written.
type section struct {
	name  string
	array bool // one element of an array of tables
	lines []string
	subs  []*section
}

// put adds "key = value", unless value is nil.
func (s *section) put(key string, value any) {
	if value != nil {
		s.lines = append(s.lines, quoteKey(key)+" = "+Literal(value))
	}
}

// empty reports whether s says nothing. An element of an array counts, also without
// keys.
func (s *section) empty() bool {
	if s.array {
		return false
	}
	for _, sub := range s.subs {
		if !sub.empty() {
			return false
		}
	}
	return len(s.lines) == 0
}

// print writes s. parent is the path of the table around it.
func (s *section) print(b *bytes.Buffer, parent string) {
	if s.empty() {
		return
	}
	path := strings.TrimPrefix(parent+"."+s.name, ".")
	if s.array {
		fmt.Fprintf(b, "\n[[%s]]\n", path)
	} else if s.name != "" && len(s.lines) > 0 {
		fmt.Fprintf(b, "\n[%s]\n", path)
	}
	for _, line := range s.lines {
		b.WriteString(line + "\n")
	}
	for _, sub := range s.subs {
		sub.print(b, path)
	}
}

// An InlineTable is a table that is written on one line, in the order of its keys.
type InlineTable []Pair

// A Pair is a key of an InlineTable with its value.
type Pair struct {
	Key   string
	Value any
}

// Literal returns a value in TOML: a string, a number, a boolean, a list or an
// InlineTable.
func Literal(v any) string {
	switch v := v.(type) {
	case string:
		return Quote(v)
	case []string:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = Quote(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = Literal(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case InlineTable:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = quoteKey(item.Key) + " = " + Literal(item.Value)
		}
		return "{ " + strings.Join(items, ", ") + " }"
	}
	return fmt.Sprint(v)
}

// Quote returns s as a basic string of TOML. Bytes that are not UTF-8 become U+FFFD.
// strconv.Quote does not fit: TOML has fewer escapes than Go.
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// quoteKey quotes s unless it is a bare key.
func quoteKey(s string) string {
	bare := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-'
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !bare(r) }) < 0 {
		return s
	}
	return Quote(s)
}
